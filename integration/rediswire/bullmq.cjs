// BullMQ: jobs that are done by 8 workers, delayed, repeated, of different priorities, of flows, paused, and those of a worker that was
// killed; what is left is drained and obliterated.
//
// REDIS_URL names the server. With TLS, NODE_EXTRA_CA_CERTS names the certificate to trust. It fails by an exception, and prints what
// it has done.

const assert = require("node:assert");
const { fork } = require("node:child_process");
const { once } = require("node:events");
const { Queue, Worker, QueueEvents, FlowProducer } = require("bullmq");
const Redis = require("ioredis");

const connect = () => new Redis(process.env.REDIS_URL, { maxRetriesPerRequest: null });
const opened = [];
const open = (Class, ...args) => {
  const options = args.pop();
  const made = new Class(...args, { connection: connect(), ...options });
  made.on("error", (error) => console.error(Class.name, error));
  opened.push(made);
  return made;
};
const queue = (name) => open(Queue, name, {});
const worker = (name, process, options = {}) => open(Worker, name, process, options);

/** Makes a promise with a function that settles it after n calls. */
function countdown(n) {
  let resolve;
  const promise = new Promise((r) => (resolve = r));
  return { promise, hit: () => --n === 0 && resolve() };
}

// eightWorkers do 200 jobs, each once, and the results are there.
async function eightWorkers() {
  const q = queue("eight");
  const events = open(QueueEvents, "eight", {});
  await events.waitUntilReady();
  const done = new Map();
  const { promise, hit } = countdown(200);
  events.on("completed", hit);
  for (let i = 0; i < 8; i++) {
    worker("eight", async (job) => {
      done.set(job.data.n, (done.get(job.data.n) ?? 0) + 1);
      await job.updateProgress(50);
      return job.data.n * 2;
    });
  }
  const jobs = await q.addBulk(Array.from({ length: 200 }, (_, n) => ({ name: "double", data: { n } })));
  await promise;
  assert.equal(done.size, 200);
  assert([...done.values()].every((times) => times === 1));
  assert.equal((await q.getJob(jobs[7].id)).returnvalue, 14);
  assert.deepEqual(await q.getJobCounts("completed", "failed", "active", "waiting"), { completed: 200, failed: 0, active: 0, waiting: 0 });
}

// delayed jobs come in the order of their times, and a job that fails is tried again.
async function delayed() {
  const q = queue("delayed");
  const order = [];
  const { promise, hit } = countdown(4);
  const w = worker("delayed", async (job) => {
    order.push(job.name);
    if (job.name === "fails" && job.attemptsMade < 1) {
      throw new Error("at first");
    }
    return 0;
  });
  w.on("completed", hit);
  const begin = Date.now();
  const jobs = [await q.add("later", {}, { delay: 900 }), await q.add("sooner", {}, { delay: 500 }), await q.add("now", {})];
  await q.add("fails", {}, { attempts: 2, backoff: { type: "fixed", delay: 100 } });
  await promise;
  assert(Date.now() - begin >= 900);
  const at = (job) => job.timestamp + (job.opts.delay ?? 0);
  const due = jobs.sort((a, b) => at(a) - at(b)).map((job) => job.name);
  assert.deepEqual(order.filter((name) => name !== "fails"), due);
  assert.equal(order.filter((name) => name === "fails").length, 2);
}

// repeated jobs are made again and again by a scheduler.
async function repeated() {
  const q = queue("repeated");
  const { promise, hit } = countdown(3);
  worker("repeated", async (job) => assert.equal(job.data.every, true)).on("completed", hit);
  await q.upsertJobScheduler("ticks", { every: 200 }, { name: "tick", data: { every: true } });
  await q.upsertJobScheduler("nightly", { pattern: "0 3 * * *" }, { name: "night", data: {} });
  await promise;
  assert.deepEqual((await q.getJobSchedulers()).map((s) => s.key).sort(), ["nightly", "ticks"]);
  assert.equal(await q.removeJobScheduler("ticks"), true);
  assert.equal(await q.removeJobScheduler("nightly"), true);
}

// priorities decide about the order; so does "last in, first out".
async function priorities() {
  const q = queue("priorities");
  await q.add("third", {}, { priority: 10 });
  await q.add("second", {}, { priority: 1 });
  await q.add("first", {});
  await q.add("zeroth", {}, { lifo: true });
  await q.add("fourth", {}, { priority: 10 });
  assert.deepEqual(await q.getCountsPerPriority([0, 1, 10]), { 0: 2, 1: 1, 10: 2 });
  const order = [];
  const { promise, hit } = countdown(5);
  worker("priorities", async (job) => order.push(job.name)).on("completed", hit);
  await promise;
  assert.deepEqual(order, ["zeroth", "first", "second", "third", "fourth"]);
}

// flows: a parent waits for its children, which wait for theirs.
async function flows() {
  const { promise, hit } = countdown(1);
  worker("children", async (job) => job.data.n);
  worker("parents", async (job) => Object.values(await job.getChildrenValues()).reduce((a, b) => a + b, 0)).on(
    "completed",
    (job) => job.name === "top" && hit(),
  );
  const flow = await open(FlowProducer, {}).add({
    name: "top",
    queueName: "parents",
    children: [
      { name: "middle", queueName: "parents", children: [1, 2, 3].map((n) => ({ name: "leaf", queueName: "children", data: { n } })) },
      { name: "leaf", queueName: "children", data: { n: 10 } },
    ],
  });
  await promise;
  assert.equal((await queue("parents").getJob(flow.job.id)).returnvalue, 16);
}

// pause: nothing is done until resume.
async function pause() {
  const q = queue("pause");
  await q.pause();
  let done = 0;
  const { promise, hit } = countdown(3);
  const w = worker("pause", async () => done++);
  w.on("completed", hit);
  await w.waitUntilReady();
  await q.addBulk([1, 2, 3].map((n) => ({ name: "job", data: { n } })));
  assert.equal(await q.isPaused(), true);
  assert.equal(await q.count(), 3);
  assert.equal(done, 0);
  await q.resume();
  await promise;
}

// stalled: what a worker had begun when it was killed is done by another.
async function stalled() {
  const q = queue("stalled");
  await q.add("job", {});
  const victim = fork(__filename, ["victim"]);
  await once(victim, "message");
  victim.kill("SIGKILL");
  const { promise, hit } = countdown(1);
  const seen = [];
  const w = worker("stalled", async (job) => job.id, { stalledInterval: 300, lockDuration: 1000 });
  w.on("stalled", (id) => seen.push(id));
  w.on("completed", hit);
  await promise;
  assert.equal(seen.length, 1);
}

function victim() {
  new Worker(
    "stalled",
    () => {
      process.send("begun");
      return new Promise(() => {});
    },
    { connection: connect(), stalledInterval: 300, lockDuration: 1000 },
  );
}

// remains are removed: a queue of a few jobs is drained, cleaned and obliterated.
async function remains() {
  const q = queue("remains");
  await q.addBulk(Array.from({ length: 15 }, (_, n) => ({ name: "job", data: { n } })));
  await q.add("later", {}, { delay: 60_000 });
  assert.equal(await q.count(), 16);
  await q.drain();
  assert.equal(await q.count(), 1);
  await q.drain(true);
  assert.equal(await q.count(), 0);
  const [job] = await q.addBulk(Array.from({ length: 5 }, (_, n) => ({ name: "job", data: { n } })));
  assert.equal((await q.clean(0, 3, "wait")).length, 3);
  await q.remove(job.id);
  await q.obliterate();
  const redis = connect();
  assert.deepEqual(await redis.keys("bull:remains:*"), []);
  await redis.quit();
}

async function main() {
  const redis = connect();
  await redis.flushdb();
  await redis.quit();
  for (const step of [eightWorkers, delayed, repeated, priorities, flows, pause, stalled, remains]) {
    const begin = Date.now();
    await step();
    console.log(step.name, Date.now() - begin, "ms");
  }
  await Promise.all(opened.map((o) => o.close()));
  console.log("bullmq ok");
  process.exit(0); // connections that were handed to BullMQ stay open
}

const run = process.argv[2] === "victim" ? async () => victim() : main;
run().catch((e) => {
  console.error(e);
  process.exit(1);
});
