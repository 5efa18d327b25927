import java.io.FileInputStream;
import java.net.URI;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.JedisPooled;
import redis.clients.jedis.JedisPubSub;
import redis.clients.jedis.Pipeline;
import redis.clients.jedis.RedisProtocol;
import redis.clients.jedis.Response;
import redis.clients.jedis.StreamEntryID;
import redis.clients.jedis.Transaction;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.params.SetParams;
import redis.clients.jedis.params.XAddParams;
import redis.clients.jedis.params.XReadGroupParams;

/**
 * Jedis: strings to streams, pipelines, transactions, messages and commands that wait, in RESP2 and RESP3.
 *
 * <p>REDIS_URL names the server, REDIS_TLS_CA the certificate to trust with TLS. It fails by an exception, and prints what it has
 * done.
 */
public final class JedisClient {
  private static HostAndPort address;

  public static void main(String[] args) throws Exception {
    for (RedisProtocol protocol : RedisProtocol.values()) {
      DefaultJedisClientConfig config = config(protocol);
      try (Jedis jedis = new Jedis(address, config)) {
        jedis.flushDB();
        commands(jedis);
        pipelines(jedis);
        transactions(jedis, config);
        messages(jedis, config);
        waiting(jedis, config);
      }
      try (JedisPooled pool = new JedisPooled(address, config)) {
        equal("yes", pool.set("pooled", "yes").equals("OK") ? pool.get("pooled") : null);
      }
    }
    System.out.println("jedis ok");
    System.exit(0);
  }

  private static DefaultJedisClientConfig config(RedisProtocol protocol) throws Exception {
    URI uri = URI.create(System.getenv("REDIS_URL"));
    address = new HostAndPort(uri.getHost(), uri.getPort());
    String[] login = uri.getUserInfo().split(":", 2);
    DefaultJedisClientConfig.Builder builder =
        DefaultJedisClientConfig.builder().user(login[0]).password(login[1]).protocol(protocol).clientName("java").socketTimeoutMillis(30_000);
    if (uri.getScheme().equals("rediss")) {
      KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
      trusted.load(null);
      try (FileInputStream in = new FileInputStream(System.getenv("REDIS_TLS_CA"))) {
        trusted.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(in));
      }
      TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      trust.init(trusted);
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(null, trust.getTrustManagers(), null);
      builder.ssl(true).sslSocketFactory(context.getSocketFactory());
    }
    return builder.build();
  }

  private static void commands(Jedis jedis) {
    equal("PONG", jedis.ping());
    equal("OK", jedis.set("s", "1", SetParams.setParams().ex(100)));
    equal(42L, jedis.incrBy("s", 41));
    equal(null, jedis.get("none"));
    equal(42.5, jedis.incrByFloat("s", 0.5));
    equal(2L, jedis.hset("h", Map.of("f", "1", "g", "2")));
    equal(Map.of("f", "1", "g", "2"), jedis.hgetAll("h"));
    equal(3L, jedis.rpush("l", "a", "b", "c"));
    equal(List.of("a", "b"), jedis.lpop("l", 2));
    equal(2L, jedis.sadd("set", "x", "y"));
    equal(Set.of("x", "y"), jedis.smembers("set"));
    equal(2L, jedis.zadd("z", Map.of("one", 1.0, "two", 2.5)));
    equal(2.5, jedis.zscore("z", "two"));
    equal(2.5, jedis.zrangeWithScores("z", 0, -1).get(1).getScore());
    equal("one", jedis.zpopmin("z").getElement());
    equal(1L, jedis.geoadd("geo", 13.361389, 38.115556, "Palermo"));
    equal(true, Math.abs(jedis.geopos("geo", "Palermo").get(0).getLongitude() - 13.361389) < 1e-5);
    equal("1-1", jedis.xadd("x", XAddParams.xAddParams().id("1-1"), Map.of("f", "v")).toString());
    equal("OK", jedis.xgroupCreate("x", "g", new StreamEntryID(), false));
    equal(
        Map.of("f", "v"),
        jedis.xreadGroup("g", "c", new XReadGroupParams(), Map.of("x", StreamEntryID.UNRECEIVED_ENTRY)).get(0).getValue().get(0).getFields());
    equal(1L, jedis.xpending("x", "g").getTotal());
    equal(1L, jedis.xinfoStream("x").getLength());
    equal(1L, jedis.xack("x", "g", new StreamEntryID("1-1")));
    equal(List.of("k", "a", 3L), jedis.eval("return {KEYS[1], ARGV[1], 3}", 1, "k", "a"));
    equal((long) jedis.keys("*").size(), jedis.dbSize());
    equal("java", jedis.clientGetname());
    try {
      jedis.lpush("h", "a");
      throw new AssertionError("WRONGTYPE was expected");
    } catch (JedisDataException e) {
      equal(true, e.getMessage().startsWith("WRONGTYPE"));
    }
  }

  private static void pipelines(Jedis jedis) {
    int n = 10_000;
    Pipeline pipeline = jedis.pipelined();
    for (int i = 0; i < n; i++) {
      pipeline.set("pipe:" + i % 500, "" + i);
    }
    equal(n, pipeline.syncAndReturnAll().size());
    equal("" + (n - 1), jedis.get("pipe:499"));
  }

  private static void transactions(Jedis jedis, DefaultJedisClientConfig config) {
    Transaction transaction = jedis.multi();
    Response<Long> n = transaction.incr("n");
    transaction.get("n");
    equal(List.of(1L, "1"), transaction.exec());
    equal(1L, n.get());
    jedis.watch("n");
    try (Jedis other = new Jedis(address, config)) {
      other.set("n", "10");
    }
    transaction = jedis.multi();
    transaction.incr("n");
    equal(null, transaction.exec());
    equal("10", jedis.get("n"));
  }

  private static void messages(Jedis jedis, DefaultJedisClientConfig config) throws Exception {
    CountDownLatch subscribed = new CountDownLatch(1);
    CompletableFuture<String> message = new CompletableFuture<>();
    JedisPubSub listener =
        new JedisPubSub() {
          @Override
          public void onSubscribe(String channel, int count) {
            subscribed.countDown();
          }

          @Override
          public void onMessage(String channel, String text) {
            message.complete(text);
            unsubscribe();
          }
        };
    Thread thread =
        new Thread(
            () -> {
              try (Jedis subscriber = new Jedis(address, config)) {
                subscriber.subscribe(listener, "news");
              }
            });
    thread.start();
    subscribed.await();
    equal(1L, jedis.publish("news", "one"));
    equal("one", message.get(30, TimeUnit.SECONDS));
    thread.join();
  }

  private static void waiting(Jedis jedis, DefaultJedisClientConfig config) throws Exception {
    CompletableFuture<List<String>> popped =
        CompletableFuture.supplyAsync(
            () -> {
              try (Jedis waiter = new Jedis(address, config)) {
                return waiter.blpop(0, "wait");
              }
            });
    Thread.sleep(50); // so that it waits, most likely
    jedis.rpush("wait", "a");
    equal(List.of("wait", "a"), popped.get(30, TimeUnit.SECONDS));
    equal(null, jedis.blpop(0.05, "wait"));
  }

  private static void equal(Object want, Object got) {
    if (want == null ? got != null : !want.equals(got)) {
      throw new AssertionError("want " + want + ", got " + got);
    }
  }
}
