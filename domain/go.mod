module github.com/firstviscount/platform-coordination/domain

go 1.26.0
