module github.com/firstviscount/platform-coordination/adapters

go 1.26.0

require (
	github.com/MicahParks/keyfunc/v3 v3.9.1
	github.com/danielgtaylor/huma/v2 v2.37.2
	github.com/firstviscount/platform-coordination/contracttests v0.1.0
	github.com/firstviscount/platform-coordination/domain v0.1.0
	github.com/firstviscount/platform-coordination/ports v0.1.0
	github.com/firstviscount/platform-coordination/sdk v0.1.0
	github.com/golang-jwt/jwt/v5 v5.3.1
	github.com/google/uuid v1.6.0
	gopkg.in/yaml.v3 v3.0.1
)

require github.com/jackc/puddle/v2 v2.2.3 // indirect

require (
	github.com/MicahParks/jwkset v0.11.4
	github.com/dustin/go-humanize v1.1.0 // indirect
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/pgx/v5 v5.12.0
	github.com/mattn/go-isatty v0.0.24 // indirect
	github.com/mfridman/interpolate v0.0.2 // indirect
	github.com/ncruces/go-strftime v1.1.0 // indirect
	github.com/pressly/goose/v3 v3.29.0
	github.com/remyoudompheng/bigfft v0.0.0-20230129092748-24d4a6f8daec // indirect
	github.com/sethvargo/go-retry v0.5.0 // indirect
	go.uber.org/goleak v1.3.0
	go.uber.org/multierr v1.11.0 // indirect
	golang.org/x/sync v0.24.0
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	golang.org/x/time v0.15.0
	modernc.org/libc v1.79.0 // indirect
	modernc.org/mathutil v1.7.1 // indirect
	modernc.org/memory v1.12.1 // indirect
	modernc.org/sqlite v1.61.1
)

replace (
	github.com/firstviscount/platform-coordination/contracttests => ../contracttests
	github.com/firstviscount/platform-coordination/domain => ../domain
	github.com/firstviscount/platform-coordination/ports => ../ports
	github.com/firstviscount/platform-coordination/sdk => ../sdk
)
