module github.com/firstviscount/platform-coordination/ports

go 1.26.0

require github.com/firstviscount/platform-coordination/domain v0.1.0

replace github.com/firstviscount/platform-coordination/domain => ../domain
