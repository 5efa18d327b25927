import java.time.Duration;
import java.util.*;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.serialization.*;

/**
 * The client for Java against a broker: administration, its producer, which is idempotent, with every codec, and groups.
 *
 * <p>The connection comes from the environment: KAFKA_BROKERS, KAFKA_USERNAME, KAFKA_PASSWORD, and KAFKA_TLS_CA for TLS. The
 * mechanism and a name for topics are arguments. It fails by an exception, and prints what it has done.
 */
public class JavaClient {
  static final int MESSAGES = 300;
  static String mechanism;

  static Properties connection(Object... more) {
    Properties p = new Properties();
    String ca = System.getenv("KAFKA_TLS_CA");
    p.put("bootstrap.servers", System.getenv("KAFKA_BROKERS"));
    p.put("security.protocol", ca == null ? "SASL_PLAINTEXT" : "SASL_SSL");
    if (ca != null) {
      p.put("ssl.truststore.type", "PEM");
      p.put("ssl.truststore.location", ca);
    }
    p.put("sasl.mechanism", mechanism);
    String module = mechanism.equals("PLAIN") ? "plain.PlainLoginModule" : "scram.ScramLoginModule";
    p.put("sasl.jaas.config", "org.apache.kafka.common.security." + module + " required username=\""
        + System.getenv("KAFKA_USERNAME") + "\" password=\"" + System.getenv("KAFKA_PASSWORD") + "\";");
    for (int i = 0; i < more.length; i += 2) p.put(more[i], more[i + 1]);
    return p;
  }

  static void check(boolean ok, Object what) {
    if (!ok) throw new AssertionError(what);
  }

  static void produce(String topic, String codec) throws Exception {
    try (var producer = new KafkaProducer<>(connection("compression.type", codec, "linger.ms", 5), new StringSerializer(), new StringSerializer())) {
      List<java.util.concurrent.Future<RecordMetadata>> sent = new ArrayList<>();
      for (int i = 0; i < MESSAGES; i++) {
        var record = new ProducerRecord<>(topic, "key-" + i % 10, i + " ".repeat(50));
        record.headers().add("codec", codec.getBytes());
        sent.add(producer.send(record));
      }
      for (var f : sent) f.get();
    }
  }

  static KafkaConsumer<String, String> consumer(String group, String assignor) {
    return new KafkaConsumer<>(connection("group.id", group, "auto.offset.reset", "earliest", "enable.auto.commit", "false",
        "session.timeout.ms", 6000, "heartbeat.interval.ms", 300, "partition.assignment.strategy", assignor), new StringDeserializer(), new StringDeserializer());
  }

  static void poll(List<KafkaConsumer<String, String>> members, int count, Set<String> seen, Map<String, Integer> last) {
    long end = System.currentTimeMillis() + 45_000;
    boolean committed = false;
    while ((seen.size() < count || !committed) && System.currentTimeMillis() < end) {
      committed = true;
      for (var m : members) {
        for (var r : m.poll(Duration.ofMillis(100))) {
          if (!seen.add(r.partition() + "/" + r.offset())) continue;
          int n = Integer.parseInt(r.value().trim());
          check(last.getOrDefault(r.key(), -1) < n, "the order of " + r.key());
          last.put(r.key(), n);
        }
        try {
          m.commitSync();
        } catch (RebalanceInProgressException e) { // it is to poll first
          committed = false;
        }
      }
    }
    check(seen.size() == count, seen.size() + " messages of " + count);
  }

  static void group(String topic, String group, String assignor) throws Exception {
    var members = new ArrayList<KafkaConsumer<String, String>>();
    for (int i = 0; i < 3; i++) {
      members.add(consumer(group, assignor));
      members.get(i).subscribe(List.of(topic));
    }
    Set<String> seen = new HashSet<>();
    poll(members, MESSAGES, seen, new HashMap<>());
    members.remove(0).close();
    produce(topic, "none");
    poll(members, 2 * MESSAGES, seen, new HashMap<>());
    for (var m : members) m.close();
  }

  static Throwable cause(org.apache.kafka.common.KafkaFuture<?> f) throws InterruptedException {
    try {
      f.get();
      return null;
    } catch (ExecutionException e) {
      return e.getCause();
    }
  }

  /** The calls of Kafka UI (kafbat) and AKHQ that are not made elsewhere. */
  static void interfaces(Admin admin, String topic, String group) throws Exception {
    var tp = new TopicPartition(topic, 0);
    check(admin.describeCluster(new DescribeClusterOptions().includeAuthorizedOperations(true)).authorizedOperations().get().size() > 1, "operations");
    var broker = new ConfigResource(ConfigResource.Type.BROKER, "0");
    check(admin.describeConfigs(List.of(broker)).all().get().get(broker).get("inter.broker.protocol.version").value().startsWith("2.8"), "the broker's settings");
    var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
    var all = new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true);
    check(admin.describeConfigs(List.of(resource), all).all().get().get(resource).get("retention.ms").synonyms().size() == 1, "synonyms");
    check(admin.describeFeatures().featureMetadata().get().finalizedFeatures().isEmpty(), "features");
    check(admin.listTopics(new ListTopicsOptions().listInternal(true)).listings().get().stream().noneMatch(TopicListing::isInternal), "topics of the broker's own");
    var info = admin.describeTopics(List.of(topic), new DescribeTopicsOptions().includeAuthorizedOperations(true)).allTopicNames().get().get(topic);
    check(info.authorizedOperations().size() > 1 && info.partitions().get(0).leader().id() == 0, info);
    check(admin.listOffsets(Map.of(tp, OffsetSpec.earliest())).all().get().get(tp).offset() == 1, "the beginning");
    var states = new ListConsumerGroupsOptions().inStates(Set.of(org.apache.kafka.common.ConsumerGroupState.EMPTY));
    check(admin.listConsumerGroups(states).all().get().stream().anyMatch(g -> g.groupId().equals(group)), "groups without members");
    var spec = new ListConsumerGroupOffsetsSpec();
    check(admin.listConsumerGroupOffsets(Map.of(group, spec, group + "-none", spec)).all().get().get(group).size() == 3, "offsets of several groups");
    check(cause(admin.describeAcls(org.apache.kafka.common.acl.AclBindingFilter.ANY).values()) instanceof SecurityDisabledException, "access control lists");
    for (var refused : List.of(
        admin.describeUserScramCredentials().all(), admin.listTransactions().all(), admin.describeProducers(List.of(tp)).all(),
        admin.electLeaders(org.apache.kafka.common.ElectionType.PREFERRED, Set.of(tp)).partitions(), admin.listPartitionReassignments().reassignments(),
        admin.alterPartitionReassignments(Map.of(tp, Optional.of(new NewPartitionReassignment(List.of(0))))).all(),
        admin.describeClientQuotas(org.apache.kafka.common.quota.ClientQuotaFilter.all()).entities())) {
      Throwable cause = cause(refused);
      check(cause instanceof UnsupportedVersionException, cause);
    }
  }

  @SuppressWarnings("removal")
  public static void main(String[] args) throws Exception {
    mechanism = args[0];
    String name = args[1];
    try (Admin admin = Admin.create(connection())) {
      for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
        String topic = name + "-" + codec;
        admin.createTopics(List.of(new NewTopic(topic, 3, (short) 1))).all().get();
        produce(topic, codec);
        try (var c = consumer(name + "-reader-" + codec, "org.apache.kafka.clients.consumer.RangeAssignor")) {
          var tps = List.of(0, 1, 2).stream().map(p -> new TopicPartition(topic, p)).collect(Collectors.toList());
          long sum = c.endOffsets(tps).values().stream().mapToLong(Long::longValue).sum();
          check(sum == MESSAGES, sum);
          c.assign(tps);
          c.seekToBeginning(tps);
          poll(List.of(c), MESSAGES, new HashSet<>(), new HashMap<>());
          check(c.offsetsForTimes(Map.of(tps.get(0), 1L)).get(tps.get(0)).offset() == 0, "an offset by time");
        }
      }
      check(cause(admin.createTopics(List.of(new NewTopic(name + "-none", 3, (short) 1))).all()) instanceof TopicExistsException, "a topic twice");
      group(name + "-none", name + "-eager", "org.apache.kafka.clients.consumer.RangeAssignor");
      group(name + "-zstd", name + "-cooperative", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");

      var resource = new ConfigResource(ConfigResource.Type.TOPIC, name + "-none");
      admin.incrementalAlterConfigs(Map.of(resource, List.of(new AlterConfigOp(new ConfigEntry("retention.ms", "60000"), AlterConfigOp.OpType.SET)))).all().get();
      check(admin.describeConfigs(List.of(resource)).all().get().get(resource).get("retention.ms").value().equals("60000"), "a setting");
      admin.createPartitions(Map.of(name + "-none", NewPartitions.increaseTo(4))).all().get();
      check(admin.describeTopics(List.of(name + "-none")).allTopicNames().get().get(name + "-none").partitions().size() == 4, "partitions");
      check(admin.describeCluster().nodes().get().size() == 1, "nodes");
      check(admin.describeLogDirs(List.of(0)).allDescriptions().get().size() == 1, "log directories");
      var tp = new TopicPartition(name + "-gzip", 0);
      check(admin.deleteRecords(Map.of(tp, RecordsToDelete.beforeOffset(1))).all() != null, "records");
      check(admin.listOffsets(Map.of(tp, OffsetSpec.latest())).all().get().get(tp).offset() > 0, "offsets");
      check(admin.listConsumerGroups().all().get().size() >= 2, "groups");
      check(admin.describeConsumerGroups(List.of(name + "-eager")).all().get().get(name + "-eager").members().isEmpty(), "members");
      long committed = admin.listConsumerGroupOffsets(name + "-eager").partitionsToOffsetAndMetadata().get().values().stream().mapToLong(OffsetAndMetadata::offset).sum();
      check(committed == 2 * MESSAGES, committed);
      interfaces(admin, name + "-gzip", name + "-eager");
      admin.alterConsumerGroupOffsets(name + "-eager", Map.of(new TopicPartition(name + "-none", 0), new OffsetAndMetadata(1))).all().get();
      admin.deleteConsumerGroupOffsets(name + "-eager", Set.of(new TopicPartition(name + "-none", 0))).all().get();
      admin.deleteConsumerGroups(List.of(name + "-eager")).all().get();
      admin.deleteTopics(List.of(name + "-none")).all().get();
    }
    try (var producer = new KafkaProducer<>(connection("transactional.id", name), new StringSerializer(), new StringSerializer())) {
      long began = System.currentTimeMillis();
      try {
        producer.initTransactions();
        throw new AssertionError("transactions");
      } catch (TransactionalIdAuthorizationException e) {
        check(System.currentTimeMillis() - began < 5000, "transactions are refused late");
      }
    }
    System.out.println("Java " + org.apache.kafka.common.utils.AppInfoParser.getVersion() + " " + mechanism + " ok");
  }
}
