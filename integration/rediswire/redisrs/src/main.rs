//! redis-rs: strings to streams, pipelines, transactions, messages and commands that wait, in RESP2 and RESP3, and a connection manager
//! whose server is killed and started again.
//!
//! REDIS_URL names the server, REDIS_TLS_CA the certificate to trust with TLS. It prints a line when the server is to be killed and
//! started again, and reads one when that has been done. It fails by a panic, and prints what it has done.

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::streams::{StreamReadOptions, StreamReadReply};
use redis::{AsyncTypedCommands, Client, Commands, Connection, ErrorKind, RedisResult, Script, ServerErrorKind, TlsCertificates};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{env, fs, io, sync::Arc, thread};

fn client(protocol: &str) -> Client {
    let url = format!("{}?protocol={protocol}", env::var("REDIS_URL").unwrap());
    match env::var("REDIS_TLS_CA") {
        Ok(ca) if url.starts_with("rediss:") => {
            Client::build_with_tls(url, TlsCertificates { client_tls: None, root_cert: Some(fs::read(ca).unwrap()) }).unwrap()
        }
        _ => Client::open(url).unwrap(),
    }
}

fn connect(client: &Client) -> Connection {
    let con = client.get_connection().unwrap();
    con.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    con
}

fn main() {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    for protocol in ["resp2", "resp3"] {
        let client = client(protocol);
        let mut con = connect(&client);
        let _: () = con.flushdb().unwrap();
        commands(&mut con).unwrap();
        streams(&mut con).unwrap();
        pipelines(&mut con).unwrap();
        transactions(&client).unwrap();
        messages(&client).unwrap();
        waiting(&client).unwrap();
    }
    tokio::runtime::Runtime::new().unwrap().block_on(restarted());
    println!("redis-rs ok");
}

fn commands(con: &mut Connection) -> RedisResult<()> {
    let pong: String = redis::cmd("PING").query(con)?;
    assert_eq!(pong, "PONG");
    let _: () = con.set_ex("s", 1, 100)?;
    assert_eq!(con.incr::<_, _, i64>("s", 41)?, 42);
    assert_eq!(con.incr::<_, _, f64>("s", 0.5)?, 42.5);
    assert_eq!(con.get::<_, Option<String>>("none")?, None);
    assert!((1..=100).contains(&con.ttl::<_, i64>("s")?));
    let _: () = con.hset_multiple("h", &[("f", 1), ("g", 2)])?;
    assert_eq!(con.hgetall::<_, HashMap<String, i64>>("h")?, HashMap::from([("f".into(), 1), ("g".into(), 2)]));
    assert_eq!(con.rpush::<_, _, i64>("l", &["a", "b", "c"])?, 3);
    assert_eq!(con.lpop::<_, Vec<String>>("l", std::num::NonZeroUsize::new(2))?, ["a", "b"]);
    assert_eq!(con.sadd::<_, _, i64>("set", &["x", "y"])?, 2);
    assert_eq!(con.smembers::<_, HashSet<String>>("set")?, HashSet::from(["x".into(), "y".into()]));
    assert_eq!(con.zadd_multiple::<_, _, _, i64>("z", &[(1.0, "one"), (2.5, "two")])?, 2);
    assert_eq!(con.zscore::<_, _, f64>("z", "two")?, 2.5);
    assert_eq!(con.zrange_withscores::<_, Vec<(String, f64)>>("z", 0, -1)?, [("one".into(), 1.0), ("two".into(), 2.5)]);
    assert_eq!(con.geo_add::<_, _, i64>("geo", (redis::geo::Coord::lon_lat(13.361389, 38.115556), "Palermo"))?, 1);
    let bytes: Vec<u8> = (0..=255).collect();
    let _: () = con.set("bytes", &bytes)?;
    assert_eq!(con.get::<_, Vec<u8>>("bytes")?, bytes);
    let answer: (String, String, i64) = Script::new("return {KEYS[1], ARGV[1], 3}").key("k").arg("a").invoke(con)?;
    assert_eq!(answer, ("k".into(), "a".into(), 3));
    let mut seen: Vec<String> = con.scan_match("[hl]")?.collect::<RedisResult<_>>()?;
    seen.sort();
    assert_eq!(seen, ["h", "l"]);
    let wrong = con.lpush::<_, _, i64>("h", "a").unwrap_err();
    assert_eq!(wrong.code(), Some("WRONGTYPE"), "{wrong}");
    let none = redis::cmd("EVALSHA").arg("0".repeat(40)).arg(0).query::<()>(con).unwrap_err();
    assert_eq!(none.kind(), ErrorKind::Server(ServerErrorKind::NoScript), "{none}");
    Ok(())
}

fn streams(con: &mut Connection) -> RedisResult<()> {
    let _: String = con.xadd("x", "1-1", &[("f", "v")])?;
    let _: () = con.xgroup_create("x", "g", "0")?;
    let options = StreamReadOptions::default().group("g", "c").count(10);
    let read: StreamReadReply = con.xread_options(&["x"], &[">"], &options)?;
    assert_eq!(read.keys[0].ids[0].id, "1-1");
    assert_eq!(read.keys[0].ids[0].get::<String>("f"), Some("v".into()));
    assert_eq!(con.xack::<_, _, _, i64>("x", "g", &["1-1"])?, 1);
    assert_eq!(con.xinfo_stream::<_, redis::streams::StreamInfoStreamReply>("x")?.length, 1);
    let nothing: Option<StreamReadReply> = con.xread_options(&["x"], &["$"], &StreamReadOptions::default().block(10))?;
    assert!(nothing.is_none_or(|reply| reply.keys.is_empty()));
    Ok(())
}

fn pipelines(con: &mut Connection) -> RedisResult<()> {
    let mut pipe = redis::pipe();
    for i in 0..10_000 {
        pipe.set(format!("pipe:{}", i % 500), i).ignore();
    }
    pipe.get("pipe:499");
    let (last,): (i64,) = pipe.query(con)?;
    assert_eq!(last, 9_999);
    Ok(())
}

fn transactions(client: &Client) -> RedisResult<()> {
    let (mut con, mut other) = (connect(client), connect(client));
    let _: () = con.set("watched", 1)?;
    let mut attempts = 0;
    let (value,): (i64,) = redis::transaction(&mut con, &["watched"], |con, pipe| {
        attempts += 1;
        let old: i64 = con.get("watched")?;
        if attempts == 1 {
            let _: () = other.set("watched", 10)?;
        }
        pipe.set("watched", old + 1).ignore().get("watched").query(con)
    })?;
    assert_eq!((attempts, value), (2, 11));
    Ok(())
}

fn messages(client: &Client) -> RedisResult<()> {
    let (mut con, mut publisher) = (connect(client), connect(client));
    let mut sub = con.as_pubsub();
    sub.set_read_timeout(Some(Duration::from_secs(60)))?;
    sub.subscribe("news")?;
    sub.psubscribe("w*")?;
    for (channel, text) in [("news", "a"), ("weather", "b")] {
        assert_eq!(publisher.publish::<_, _, i64>(channel, text)?, 1);
        let m = sub.get_message()?;
        assert_eq!((m.get_channel_name(), m.get_payload::<String>()?.as_str()), (channel, text));
    }
    sub.unsubscribe("news")?;
    assert_eq!(publisher.publish::<_, _, i64>("news", "c")?, 0);
    Ok(())
}

fn waiting(client: &Client) -> RedisResult<()> {
    let mut con = connect(client);
    assert_eq!(con.blpop::<_, Option<(String, String)>>("jobs", 0.05)?, None);
    let mut waiter = connect(client);
    let waits = thread::spawn(move || waiter.blpop::<_, (String, String)>("jobs", 0.0));
    while !redis::cmd("CLIENT").arg("LIST").query::<String>(&mut con)?.contains("cmd=blpop") {
        thread::yield_now();
    }
    let _: () = con.rpush("jobs", "a")?;
    assert_eq!(waits.join().unwrap()?, ("jobs".into(), "a".into()));
    Ok(())
}

/// A connection manager connects again by itself. What was under way when the server was killed fails, as with Redis.
async fn restarted() {
    let config = ConnectionManagerConfig::new().set_number_of_retries(1000).set_max_delay(Duration::from_millis(100));
    let mut manager = ConnectionManager::new_with_config(client("resp3"), config).await.unwrap();
    manager.set("kept", "yes").await.unwrap();
    manager.set("n", 0).await.unwrap();
    let started = Arc::new(AtomicBool::new(false));
    println!("restart the server");
    let reader = {
        let started = started.clone();
        thread::spawn(move || {
            let mut line = String::new();
            io::stdin().read_line(&mut line).unwrap();
            started.store(true, Ordering::SeqCst);
        })
    };
    let mut answered = 0;
    while !started.load(Ordering::SeqCst) {
        match manager.incr("n", 1).await {
            Ok(_) => answered += 1,
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
    reader.join().unwrap();
    loop {
        match manager.get("kept").await {
            Ok(kept) => break assert_eq!(kept.as_deref(), Some("yes")),
            Err(e) => assert!(e.is_io_error() || e.is_connection_dropped() || e.is_timeout(), "{e}"),
        }
    }
    assert!(manager.get_int("n").await.unwrap().unwrap() >= answered);
}
