module github.com/firstviscount/platform-coordination/sdk

go 1.26.0
