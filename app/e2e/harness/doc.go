// Package harness starts and stops the programs of this repository for tests:
// coordinators, the example participants, and participants that a test scripts
// answer by answer. Every process belongs to the test that started it and dies
// with it, however the test ends.
package harness
