module github.com/firstviscount/platform-coordination/examples

go 1.26.0

require github.com/firstviscount/platform-coordination/sdk v0.1.0

replace github.com/firstviscount/platform-coordination/sdk => ../sdk
