module github.com/firstviscount/platform-coordination/examples

go 1.26.0

replace github.com/firstviscount/platform-coordination/sdk => ../sdk
