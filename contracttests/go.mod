module github.com/firstviscount/platform-coordination/contracttests

go 1.26.0

require (
	github.com/firstviscount/platform-coordination/domain v0.1.0
	github.com/firstviscount/platform-coordination/ports v0.1.0
	github.com/firstviscount/platform-coordination/sdk v0.1.0
)

replace (
	github.com/firstviscount/platform-coordination/domain => ../domain
	github.com/firstviscount/platform-coordination/ports => ../ports
	github.com/firstviscount/platform-coordination/sdk => ../sdk
)
