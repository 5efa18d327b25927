import java.time.Duration;
import java.util.*;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.serialization.*;

/**
 * Consumers of the new protocol (KIP-848, group.protocol=consumer) of the client for Java, from 4.1 on, against a broker: members that
 * join, leave and die, static ones, both assignors, topics by an expression, and what the admin client says of the group.
 *
 * <p>The connection and the arguments are those of JavaClient. It fails by an exception, and prints what it has done.
 */
public class ConsumerProtocol {
  static final int MESSAGES = 300, PARTITIONS = 6;

  static KafkaConsumer<String, String> member(String group, Object... more) {
    Properties p = JavaClient.connection("group.id", group, "group.protocol", "consumer", "auto.offset.reset", "earliest", "enable.auto.commit", "false");
    for (int i = 0; i < more.length; i += 2) p.put(more[i], more[i + 1]);
    return new KafkaConsumer<>(p, new StringDeserializer(), new StringDeserializer());
  }

  static KafkaConsumer<String, String> subscribed(String topic, String group, Object... more) {
    var m = member(group, more);
    m.subscribe(List.of(topic));
    return m;
  }

  static void produce(String topic) throws Exception {
    try (var producer = new KafkaProducer<>(JavaClient.connection(), new StringSerializer(), new StringSerializer())) {
      for (int i = 0; i < MESSAGES; i++) producer.send(new ProducerRecord<>(topic, i % PARTITIONS, null, "" + i));
      producer.flush();
    }
  }

  interface Test { boolean ok() throws Exception; }

  static void until(String what, List<KafkaConsumer<String, String>> members, List<String> got, Test test) throws Exception {
    long end = System.currentTimeMillis() + 60_000;
    while (!test.ok()) {
      JavaClient.check(System.currentTimeMillis() < end, "not after a minute: " + what);
      for (var m : members) for (var r : m.poll(Duration.ofMillis(100))) got.add(r.partition() + "/" + r.offset());
    }
  }

  static boolean shared(List<KafkaConsumer<String, String>> members) {
    Set<TopicPartition> all = new HashSet<>();
    int sum = 0, most = 0, least = PARTITIONS;
    for (var m : members) {
      int n = m.assignment().size();
      all.addAll(m.assignment());
      sum += n;
      most = Math.max(most, n);
      least = Math.min(least, n);
    }
    return all.size() == PARTITIONS && sum == PARTITIONS && most - least < 2;
  }

  static void setTimes(Admin admin, String group) throws Exception {
    var resource = new ConfigResource(ConfigResource.Type.GROUP, group);
    var ops = List.of(
        new AlterConfigOp(new ConfigEntry("consumer.session.timeout.ms", "6000"), AlterConfigOp.OpType.SET),
        new AlterConfigOp(new ConfigEntry("consumer.heartbeat.interval.ms", "1000"), AlterConfigOp.OpType.SET));
    admin.incrementalAlterConfigs(Map.of(resource, ops)).all().get();
    var now = admin.describeConfigs(List.of(resource)).all().get().get(resource);
    JavaClient.check(now.get("consumer.session.timeout.ms").value().equals("6000"), now);
  }

  static void joinAndLeave(Admin admin, String topic, String group, String assignor) throws Exception {
    setTimes(admin, group);
    List<String> got = new ArrayList<>();
    var members = new ArrayList<>(List.of(subscribed(topic, group, "group.remote.assignor", assignor)));
    until("one member reads all", members, got, () -> shared(members) && got.size() >= MESSAGES);
    members.get(0).commitSync();
    for (int i = 0; i < 2; i++) members.add(subscribed(topic, group, "group.remote.assignor", assignor));
    until("three members share", members, got, () -> shared(members));
    var d = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
    JavaClient.check(d.type() == GroupType.CONSUMER && d.members().size() == 3 && d.partitionAssignor().equals(assignor), d);
    JavaClient.check(d.groupState() == GroupState.STABLE || d.groupState() == GroupState.RECONCILING, d);
    JavaClient.check(d.members().stream().mapToInt(m -> m.assignment().topicPartitions().size()).sum() == PARTITIONS, d);
    members.remove(0).close();
    until("two members share", members, got, () -> shared(members));
    produce(topic);
    until("all is read", members, got, () -> new HashSet<>(got).size() == 2 * MESSAGES);
    JavaClient.check(got.size() == 2 * MESSAGES, got.size() + " messages, of which the first " + MESSAGES + " were committed");
    for (var m : members) {
      m.commitSync();
      m.commitAsync();
    }
    for (var m : members) m.close();
    long sum = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().values().stream().mapToLong(OffsetAndMetadata::offset).sum();
    JavaClient.check(sum == 2 * MESSAGES, sum);
  }

  static void die(Admin admin, String topic, String group) throws Exception {
    setTimes(admin, group);
    List<String> got = new ArrayList<>();
    var dead = subscribed(topic, group, "max.poll.interval.ms", 2000); // it is as good as dead when it does not poll
    var live = subscribed(topic, group);
    until("two members share", List.of(dead, live), got, () -> shared(List.of(dead, live)));
    until("the other one has all", List.of(live), got, () -> shared(List.of(live)));
    until("it is back", List.of(dead, live), got, () -> shared(List.of(dead, live)));
    dead.close();
    live.close();
  }

  static void statics(Admin admin, String topic, String group) throws Exception {
    setTimes(admin, group);
    List<String> got = new ArrayList<>();
    var a = subscribed(topic, group, "group.instance.id", "a");
    var b = subscribed(topic, group, "group.instance.id", "b");
    until("two members share", List.of(a, b), got, () -> shared(List.of(a, b)));
    var had = Set.copyOf(a.assignment());
    a.close();
    var back = subscribed(topic, group, "group.instance.id", "a");
    until("it is back", List.of(back, b), got, () -> shared(List.of(back, b)));
    JavaClient.check(back.assignment().equals(had), back.assignment());
    try (var second = subscribed(topic, group, "group.instance.id", "b")) {
      long end = System.currentTimeMillis() + 30_000;
      while (true) {
        JavaClient.check(System.currentTimeMillis() < end, "a second member of an instance is not refused");
        second.poll(Duration.ofMillis(100));
        b.poll(Duration.ofMillis(10));
      }
    } catch (UnreleasedInstanceIdException e) { // as it must be
    }
    back.close();
    b.close();
  }

  static void expression(Admin admin, String topic, String group) throws Exception {
    setTimes(admin, group);
    List<String> got = new ArrayList<>();
    try (var m = member(group)) {
      m.subscribe(new SubscriptionPattern(topic.substring(0, topic.length() - 2) + ".*"));
      until("what an expression matches", List.of(m), got, () -> shared(List.of(m)));
    }
    try (var m = member(group)) {
      m.subscribe(new SubscriptionPattern("("));
      until("an expression that is none", List.of(m), got, () -> false);
    } catch (InvalidRegularExpression e) { // as it must be
    }
  }

  public static void main(String[] args) throws Exception {
    JavaClient.mechanism = args[0];
    String name = args[1];
    try (Admin admin = Admin.create(JavaClient.connection())) {
      for (String assignor : List.of("uniform", "range")) {
        String topic = name + "-served-" + assignor;
        admin.createTopics(List.of(new NewTopic(topic, PARTITIONS, (short) 1))).all().get();
        produce(topic);
        joinAndLeave(admin, topic, name + "-" + assignor, assignor);
      }
      String topic = name + "-served-range";
      expression(admin, topic, name + "-expression");
      statics(admin, topic, name + "-static");
      die(admin, topic, name + "-die");
      var groups = admin.listGroups(ListGroupsOptions.forConsumerGroups().withTypes(Set.of(GroupType.CONSUMER))).all().get();
      JavaClient.check(groups.stream().map(GroupListing::groupId).collect(Collectors.toSet()).contains(name + "-uniform"), groups);
      admin.deleteConsumerGroups(List.of(name + "-uniform")).all().get();
    }
    System.out.println("Java " + org.apache.kafka.common.utils.AppInfoParser.getVersion() + " group.protocol=consumer " + args[0] + " ok");
  }
}
