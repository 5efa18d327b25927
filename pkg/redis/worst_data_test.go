package redis_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
)

// The values that the worst commands work on. What is deep, wide or long is so as far as the product allows.
const (
	many  = 50_000 // elements of a collection
	names = 20_000 // other keys, "key:" and a number
)

// each are arguments that a function makes of numbers from 0 on.
func each(n int, arg func(i int) []string) []string {
	var args []string
	for i := range n {
		args = append(args, arg(i)...)
	}
	return args
}

func word(i int) string { return strconv.FormatInt(int64(i), 36) }

func named(n int) []string { return each(n, func(i int) []string { return []string{word(i)} }) }

func times(n int, args ...string) []string { return each(n, func(int) []string { return args }) }

func x(n int) string { return strings.Repeat("x", n) }

// hostile fills a database.
func hostile(d *testDB) {
	must := func(line string, more ...string) {
		d.t.Helper()
		args := append(strings.Fields(line), more...)
		if got := string(d.raw(args...)); strings.HasPrefix(got, "-") {
			d.t.Fatalf("%s: %s", line, got)
		}
	}
	must("setrange s100m 104857000 x")
	must("set s1m", x(1<<20))
	must("set s90k", x(90_000))
	must("set s1k", x(1000))
	must("set n 1")
	must("rpush lsame", times(many, "a")...)
	must("rpush l", named(many)...)
	must("rpush lnum", each(many, func(i int) []string { return []string{strconv.Itoa(many - i)} })...)
	must("rpush lbig", times(100, x(90_000))...)
	must("rpush lin", times(500, "a")...)
	must("hset h", each(many, func(i int) []string { return []string{word(i), "v"} })...)
	must("hset hin", each(200, func(i int) []string { return []string{word(i), "v"} })...)
	must("hset hbig", each(100, func(i int) []string { return []string{word(i), x(90_000)} })...)
	must("sadd u", named(many)...)
	must("sadd uin", named(300)...)
	must("sadd uint", each(many, func(i int) []string { return []string{strconv.Itoa(i)} })...)
	must("zadd z", each(many, func(i int) []string { return []string{strconv.Itoa(i), word(i)} })...)
	must("zadd zsame", each(many, func(i int) []string { return []string{"0", word(i)} })...)
	must("zadd zin", each(200, func(i int) []string { return []string{strconv.Itoa(i), word(i)} })...)
	for from := range 2 {
		must("geoadd g", each(many/2, func(i int) []string {
			i += from * many / 2
			return []string{fmt.Sprintf("%.4f", float64(i%200)/1000), fmt.Sprintf("%.4f", float64(i/200)/1000), word(i)}
		})...)
	}
	for range many / 100 {
		var w resp.Writer
		if err := d.e.Multi(context.Background(), d.database(), redis.Access{}, repeat(100, func(int) []string { return []string{"xadd", "x", "*", "f", "v"} }), &w); err != nil {
			d.t.Fatal(err)
		}
	}
	must("xadd xbig 1-1 f", x(100_000))
	must("xgroup create x g 0")
	must("xreadgroup group g c count 50000 streams x >")
	for i := range 40 {
		must(fmt.Sprintf("pfadd hll%d", i), named(2000)...)
	}
	must("json.set jdeep $", strings.Repeat(`{"a":`, 100)+"[1,2,3,4,5,6,7,8]"+strings.Repeat("}", 100))
	must("json.set jarr $", "["+strings.Repeat("1,", 400_000)+"1]")
	must("json.set jin $", "["+strings.Repeat("1,", 1000)+"1]")
	must("json.set jobj $", "{"+strings.Join(each(many, func(i int) []string { return []string{fmt.Sprintf(`"%s":{"a":%d}`, word(i), i)} }), ",")+"}")
	must("json.set jstr $", "["+strings.TrimSuffix(strings.Repeat(`"",`, 100), ",")+"]")
	must("json.set jlong $", `["`+x(900_000)+`"]`)
	must("json.set jgrid $", "["+strings.TrimSuffix(strings.Repeat("["+strings.Repeat("0,", 300)+"0],", 300), ",")+"]")
	for i := 0; i < names; i += 100 {
		must("mset", each(100, func(j int) []string { return []string{"key:" + word(i+j), "v"} })...)
	}
}
