package console

import (
	"fmt"
	"strings"

	"github.com/skystash/skystash/pkg/control"
)

// nativeSnippets are those for clients of Redis's own protocol.
func nativeSnippets(s control.RedisServer, token string) []snippet {
	url := s.URL(token)
	if url == "" {
		return nil
	}
	js, node, python, cli := "", "", "", ""
	if strings.HasPrefix(url, "rediss:") && s.CAFile != "" {
		js = fmt.Sprintf(", {\n  tls: { ca: require(\"fs\").readFileSync(%q) },\n}", s.CAFile)
		node = fmt.Sprintf(",\n  socket: { ca: require(\"fs\").readFileSync(%q) }", s.CAFile)
		python = fmt.Sprintf(", ssl_ca_certs=%q", s.CAFile)
		cli = fmt.Sprintf(" --cacert %s", s.CAFile)
	}
	return []snippet{
		{"ioredis", "ioredis", fmt.Sprintf(`// npm install ioredis
const Redis = require("ioredis");

const redis = new Redis("%s"%s);

await redis.set("greeting", "hello", "EX", 60);
console.log(await redis.get("greeting"));`, url, js)},
		{"node-redis", "node-redis", fmt.Sprintf(`// npm install redis
const { createClient } = require("redis");

const redis = createClient({
  url: "%s"%s,
});
redis.on("error", console.error);
await redis.connect();

await redis.set("greeting", "hello", { EX: 60 });
console.log(await redis.get("greeting"));`, url, node)},
		{"redis-py", "redis-py", fmt.Sprintf(`# pip install redis
import redis

r = redis.from_url("%s"%s)

r.set("greeting", "hello", ex=60)
print(r.get("greeting"))`, url, python)},
		{"go-redis", "go-redis", goRedisSnippet(s, url)},
		{"redis-cli", "redis-cli", fmt.Sprintf(`redis-cli -u "%s"%s`, url, cli)},
	}
}

func goRedisSnippet(s control.RedisServer, url string) string {
	imports, roots := "", ""
	if strings.HasPrefix(url, "rediss:") && s.CAFile != "" {
		imports = "\t\"crypto/x509\"\n"
		roots = fmt.Sprintf(`	ca, err := os.ReadFile(%q)
	if err != nil {
		panic(err)
	}
	opts.TLSConfig.RootCAs = x509.NewCertPool()
	opts.TLSConfig.RootCAs.AppendCertsFromPEM(ca)
`, s.CAFile)
		imports += "\t\"os\"\n"
	}
	return fmt.Sprintf(`// go get github.com/redis/go-redis/v9
package main

import (
	"context"
	"fmt"
	"time"
%s
	"github.com/redis/go-redis/v9"
)

func main() {
	opts, err := redis.ParseURL("%s")
	if err != nil {
		panic(err)
	}
%s	client := redis.NewClient(opts)
	ctx := context.Background()
	if err := client.Set(ctx, "greeting", "hello", time.Minute).Err(); err != nil {
		panic(err)
	}
	fmt.Println(client.Get(ctx, "greeting").Val())
}`, imports, url, roots)
}
