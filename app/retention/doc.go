// Package retention removes what has been kept long enough, on every replica,
// in steps so small and so far apart that nobody else notices.
//
// A sweep takes a step of each part of the policy in turn until nothing is over
// its age. A step takes about [StepTarget], however fast the store is: what
// took longer is followed by a smaller one. After each it rests for [LongRest]
// times as long as the step took; when a sweep does not come to its end in time,
// the next ones rest less, down to [ShortRest]. Nothing is agreed on between
// replicas: the store leaves to one what another is removing, and each begins at
// a random moment.
package retention
