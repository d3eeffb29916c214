module go-bridge

go 1.21
