module github.com/firstviscount/platform-coordination/app

go 1.26.0

require (
	github.com/alecthomas/kong v1.17.0
	github.com/firstviscount/platform-coordination/adapters v0.1.0
	github.com/firstviscount/platform-coordination/contracttests v0.1.0
	github.com/firstviscount/platform-coordination/domain v0.1.0
	github.com/firstviscount/platform-coordination/ports v0.1.0
	github.com/firstviscount/platform-coordination/sdk v0.1.0
	gopkg.in/yaml.v3 v3.0.1
)

require github.com/google/uuid v1.6.0 // indirect

replace (
	github.com/firstviscount/platform-coordination/adapters => ../adapters
	github.com/firstviscount/platform-coordination/contracttests => ../contracttests
	github.com/firstviscount/platform-coordination/domain => ../domain
	github.com/firstviscount/platform-coordination/ports => ../ports
	github.com/firstviscount/platform-coordination/sdk => ../sdk
)
