// Messages, schedules, queues, URL groups, dead letters and logs.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, test } from "node:test";
import { checkPage, finish, startConsole, testPages } from "./browser.mjs";

const base = "/console/r/default-qstash";

// A destination: /down fails, everything else succeeds.
const destination = createServer((request, response) => {
  request.resume();
  response.writeHead(request.url.startsWith("/down") ? 503 : 200, { "content-type": "application/json" });
  response.end(request.url.startsWith("/down") ? '{"error":"out of order"}' : '{"ok":true}');
});
await new Promise((resolve) => destination.listen(0, "127.0.0.1", resolve));
after(() => destination.close());
const target = `http://127.0.0.1:${destination.address().port}`;

const ask = async (server, method, path, headers = {}, body = "") => {
  const response = await fetch(`${server.url}/v2/${path}`, { method, headers: { authorization: `Bearer ${server.qstashToken}`, ...headers }, body: method === "GET" ? undefined : body });
  const text = await response.text();
  assert.ok(response.ok, text);
  return text ? JSON.parse(text) : undefined;
};
const publish = (server, url, headers, body = '{"user": 4711, "template": "welcome"}') =>
  ask(server, "POST", `publish/${url}`, { "content-type": "application/json", ...headers }, body);

/** Waits until there are so many dead letters. */
const dead = async (server, count) => {
  for (let i = 0; i < 6000; i++) {
    if ((await ask(server, "GET", "dlq")).messages.length >= count) {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail("the messages did not fail in time");
};

/** Starts a run of a workflow, and adds steps to it as the workflow's SDK does. */
const run = async (server, id, url, ...steps) => {
  const headers = { "content-type": "application/json", "upstash-workflow-runid": id, "upstash-workflow-url": url, "upstash-retries": "0", "upstash-workflow-sdk-version": "1" };
  await publish(server, url, { ...headers, "upstash-workflow-init": "true", "upstash-label": "orders" }, '{"order": 4711}');
  for (const step of steps) {
    const delay = step.sleepFor ? { "upstash-delay": `${step.sleepFor}s` } : {}; // otherwise nothing carries the run
    await publish(server, url, { ...headers, ...delay, "upstash-workflow-init": "false" }, JSON.stringify(step));
  }
};

/** Waits until there is a failed run. */
const failed = async (server) => {
  for (let i = 0; i < 6000; i++) {
    if ((await ask(server, "GET", "workflows/logs?state=RUN_FAILED")).runs.length > 0) {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail("the run did not fail in time");
};

const ids = {};
const it = startConsole(async (server) => {
  ids.later = (await publish(server, `${target}/reports`, { "upstash-delay": "2h" })).messageId;
  await publish(server, `${target}/digest`, { "upstash-delay": "1d" });
  ids.done = (await publish(server, `${target}/welcome`)).messageId;
  for (let i = 0; i < 4; i++) {
    await publish(server, `${target}/down/${i}`, { "upstash-retries": "0" });
  }
  await ask(server, "POST", "queues", {}, JSON.stringify({ queueName: "emails", parallelism: 3 }));
  await ask(server, "POST", "queues", {}, JSON.stringify({ queueName: "exports", parallelism: 1 }));
  await ask(server, "POST", "queues/exports/pause");
  await ask(server, "POST", `enqueue/exports/${target}/export`, {}, "1");
  await ask(server, "POST", "topics/webhooks/endpoints", {}, JSON.stringify({ endpoints: [{ name: "crm", url: `${target}/crm` }, { url: `${target}/billing` }] }));
  await ask(server, "POST", `schedules/${target}/nightly`, { "upstash-cron": "CRON_TZ=Europe/Berlin 0 3 * * *", "upstash-schedule-id": "nightly" }, '{"full": true}');
  await ask(server, "POST", `schedules/${target}/hourly`, { "upstash-cron": "0 * * * *", "upstash-schedule-id": "hourly" });
  await ask(server, "POST", "schedules/hourly/pause");
  await run(server, "wfr_checkout", `${target}/checkout`,
    { stepId: 1, stepName: "reserve stock", stepType: "Run", out: '{"reserved":2}', concurrent: 1 },
    { stepId: 0, targetStep: 2, stepName: "charge the card", stepType: "Run", concurrent: 2 },
    { stepId: 0, targetStep: 3, stepName: "write the invoice", stepType: "Run", concurrent: 2 },
    { stepId: 2, stepName: "charge the card", stepType: "Run", out: '{"paid":true}', concurrent: 2 },
    { stepId: 4, stepName: "wait for the parcel", stepType: "SleepFor", sleepFor: 3600, concurrent: 1 });
  await run(server, "wfr_parcel", `${target}/parcel`, { stepId: 1, stepName: "reserve stock", stepType: "Run", out: '{"reserved":2}', concurrent: 1 });
  await ask(server, "POST", "wait/parcel-7", { "content-type": "application/json", "upstash-workflow-runid": "wfr_parcel", "upstash-workflow-url": `${target}/parcel` }, JSON.stringify({
    url: `${target}/parcel`, timeout: "2d", timeoutUrl: `${target}/parcel`, timeoutHeaders: {},
    step: { stepId: 2, stepName: "wait for the courier", stepType: "Wait", concurrent: 1, waitEventId: "parcel-7" } }));
  await publish(server, `${target}/welcome`, { "upstash-flow-control-key": "user-4711", "upstash-flow-control-value": "parallelism=2, rate=10, period=1m", "upstash-label": "mail" });
  await run(server, "wfr_broken", `${target}/down/workflow`);
  await dead(server, 4);
  await failed(server);
});

const openFirst = (page) => page.locator(".record").first().evaluate((details) => (details.open = true));

testPages(it, {
  "qstash-messages": { path: `${base}/messages` },
  "qstash-publish": { path: `${base}/messages/new` },
  "qstash-schedules": { path: `${base}/schedules` },
  "qstash-schedule": { path: `${base}/schedules/nightly` },
  "qstash-schedule-new": { path: `${base}/schedules/new` },
  "qstash-schedule-edit": { path: `${base}/schedules/nightly/edit` },
  "qstash-runs": { path: `${base}/runs` },
  "qstash-run": { path: `${base}/runs/wfr_checkout`, ready: (page) => page.locator(".timeline details").first().evaluate((details) => (details.open = true)) },
  "qstash-run-failed": { path: `${base}/runs/wfr_broken` },
  "qstash-run-waits": { path: `${base}/runs/wfr_parcel` },
  "qstash-run-notify": { path: `${base}/runs/wfr_parcel`, ready: (page) => page.getByRole("button", { name: "Notify…" }).click() },
  "qstash-flow-control": { path: `${base}/flow-control` },
  "qstash-logs-grouped": { path: `${base}/logs?group=message`, ready: openFirst },
  "qstash-logs-filtered": { path: `${base}/logs?label=mail&host=127.0.0.1` },
  "qstash-queues": { path: `${base}/queues` },
  "qstash-url-groups": { path: `${base}/url-groups` },
  "qstash-dlq": { path: `${base}/dlq`, ready: openFirst },
  "qstash-logs": { path: `${base}/logs`, ready: openFirst },
  "qstash-logs-nothing": { path: `${base}/logs?queue=none` },
  "qstash-deliveries": { path: `${base}/deliveries`, ready: openFirst },
  "qstash-deliveries-nothing": { path: `${base}/deliveries?url=none` },
  "qstash-metrics": { path: `${base}/metrics` },
});

test("a message is sent, followed and cancelled", async () => {
  const page = await it.open();
  await page.goto(`${base}/messages/new`);
  await page.getByLabel("Destination").fill(`${target}/task`);
  await page.getByLabel("Body").fill('{"a": 1}');
  await page.getByLabel("Delay").fill("soon");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText("Enter a time such as 30s").waitFor();
  await page.getByLabel("Delay").fill("1h");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText("The message is on its way.").waitFor();
  await page.getByText('"a": 1').waitFor();
  await page.getByRole("button", { name: "Cancel message…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel message" }).click();
  await page.getByText("Cancelled.").waitFor();
  await page.goto(`${base}/messages/${ids.done}`);
  await page.getByText("Delivered").first().waitFor();
  await finish(page, /status of 422/);
});

test("a schedule tells its next runs while it is typed", async () => {
  const page = await it.open();
  await page.goto(`${base}/schedules/new`);
  const cron = page.getByLabel("Cron expression");
  await cron.fill("61 * * * *");
  await page.getByText("Minute: invalid value").waitFor();
  await cron.fill("30 6 1 1 *");
  await page.locator("#next-runs").filter({ hasText: /Jan 1, 20\d\d/ }).waitFor(); // in the browser's own words
  await page.getByLabel("Destination").fill(`${target}/yearly`);
  await page.getByLabel("Id", { exact: false }).last().fill("yearly");
  await page.getByRole("button", { name: "Create schedule" }).click();
  await page.getByText("The schedule runs.").waitFor();
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("note").getByText("Nothing is sent until it is resumed.").waitFor();
  await page.getByRole("button", { name: "Delete…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.getByText("The schedule was deleted.").waitFor();
  await finish(page);
});

test("a schedule is edited", async () => {
  const page = await it.open();
  await page.goto(`${base}/schedules/nightly`);
  await page.getByRole("link", { name: "Edit" }).click();
  await page.getByLabel("Cron expression").fill("30 4 * * *");
  await page.locator("#next-runs time[datetime$='T03:30:00Z']").first().waitFor();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved.").waitFor();
  await page.getByRole("heading", { name: "CRON_TZ=Europe/Berlin 30 4 * * *" }).waitFor();
  await page.getByText('"full": true').waitFor();
  await page.getByText("Are left out").waitFor();
  await page.getByRole("link", { name: "Edit" }).click();
  await page.getByLabel("Missed runs").selectOption({ label: "Make up for all of them" });
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("All are made up for").waitFor();
  await finish(page);
});

test("runs are found, cancelled and resumed", async () => {
  const page = await it.open();
  await page.goto(`${base}/runs`);
  await page.getByLabel("State").selectOption("RUN_FAILED");
  await page.getByRole("button", { name: "Filter" }).click();
  assert.equal(await page.getByRole("link", { name: "wfr_checkout" }).count(), 0);
  await page.getByRole("link", { name: "wfr_broken" }).click();
  await page.getByRole("button", { name: "Restart" }).click();
  await page.getByText("This new run has begun from the first step.").waitFor();
  await page.goto(`${base}/runs/wfr_checkout`);
  await page.getByText("wait for the parcel", { exact: true }).first().waitFor();
  await page.getByRole("button", { name: "Cancel run…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel run" }).click();
  await page.getByText("Cancelled.").waitFor();
  await finish(page);
});

test("a run that waits for an event is told", async () => {
  const page = await it.open();
  await page.goto(`${base}/runs`);
  await page.getByRole("row", { name: /wfr_parcel/ }).getByText("Waiting for an event").waitFor();
  await page.getByRole("link", { name: "wfr_parcel" }).click();
  await page.getByRole("button", { name: "Notify…" }).click();
  await page.getByRole("dialog").getByLabel("Data").fill('{"at": "door"}');
  await page.getByRole("dialog").getByRole("button", { name: "Notify" }).click();
  await page.getByText("The run goes on with parcel-7.").waitFor();
  await finish(page);
});

test("a flow control key is paused, and its limits are pinned", async () => {
  const page = await it.open();
  await page.goto(`${base}/flow-control`);
  const row = page.getByRole("row", { name: /user-4711/ });
  await row.getByText("of 10").waitFor();
  await row.getByRole("button", { name: "Pause" }).click();
  await row.getByText("Paused").waitFor();
  await row.getByRole("button", { name: "Limits of user-4711" }).click();
  await page.getByRole("dialog").getByLabel("Under way at a time").fill("7");
  await page.getByRole("dialog").getByRole("button", { name: "Pin" }).click();
  await row.getByText("of 7").waitFor();
  await finish(page);
});

test("dead letters are sent again and deleted, chosen ones and all", async () => {
  const page = await it.open();
  await page.goto(`${base}/dlq`);
  assert.equal(await page.getByRole("checkbox").count(), 4);
  await page.getByRole("checkbox").first().check();
  await page.getByRole("button", { name: "Delete…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.getByText("1 message was deleted.").waitFor();
  assert.equal(await page.getByRole("checkbox").count(), 3);
  await page.getByRole("checkbox").first().check();
  await page.getByRole("button", { name: "Retry", exact: true }).click();
  await page.getByText("1 message was sent again.").waitFor();
  await dead(it.server, 3); // in vain
  await page.reload();
  await page.getByRole("button", { name: "Delete all…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete all" }).click();
  await page.getByText("3 messages were deleted.").waitFor();
  await page.getByText("No dead letters").waitFor();
  await finish(page);
});

test("the log is followed, in every look", async () => {
  for (const look of ["light", "phone"]) {
    const page = await it.open(look);
    await page.goto(`${base}/logs?url=${encodeURIComponent(`${target}/followed/${look}`)}`);
    await page.getByText("Nothing matches").waitFor();
    await page.getByRole("button", { name: "Follow" }).click();
    await page.getByRole("status").getByText("Following").waitFor();
    const { messageId } = await publish(it.server, `${target}/followed/${look}`);
    await page.locator("#log-rows .record").nth(2).waitFor();
    assert.equal(await page.locator("#log-rows .record").count(), 3); // each event once
    await page.locator("#log-rows .record").first().evaluate((details) => (details.open = true));
    assert.ok(await page.getByRole("link", { name: messageId }).first().isVisible());
    await checkPage(page);
    await page.getByRole("button", { name: "Follow" }).click();
    await page.getByRole("status").getByText("Stopped").waitFor();
    await finish(page);
  }
});

test("a message that waits is sent now, and a schedule runs now", async () => {
  const page = await it.open();
  const { messageId } = await publish(it.server, `${target}/later`, { "upstash-delay": "1d" });
  await page.goto(`${base}/messages/${messageId}`);
  await page.getByRole("button", { name: "Send now" }).click();
  await page.getByText("The next attempt is made now.").waitFor();
  await page.goto(`${base}/schedules/hourly`);
  await page.getByRole("button", { name: "Run now" }).click();
  await page.getByText("This message of the schedule is on its way.").waitFor();
  await finish(page);
});

test("deliveries appear as they happen, in every look", async () => {
  for (const look of ["light", "phone"]) {
    const page = await it.open(look);
    await page.goto(`${base}/deliveries`);
    await page.getByRole("status").getByText("Following").waitFor();
    await publish(it.server, `${target}/seen/${look}?token=secret`);
    const row = page.locator("#delivery-rows .record").filter({ hasText: `POST ${target}/seen/${look}?…` });
    await row.waitFor();
    assert.match(await row.locator("summary").textContent(), /200/);
    assert.doesNotMatch(await page.content(), /token=secret/);
    await publish(it.server, "http://127.0.0.1:9/nobody", { "upstash-retry-delay": "3600000" }); // the port that discards
    await page.getByText("Nobody listens on 127.0.0.1:9. Again in 1 hour").waitFor();
    await ask(it.server, "DELETE", `messages?url=${encodeURIComponent("http://127.0.0.1:9/nobody")}`);
    await checkPage(page);
    await page.getByRole("button", { name: "Follow" }).click();
    await page.getByRole("status").getByText("Stopped").waitFor();
    await finish(page);
  }
});

test("metrics are told apart by queue, host, schedule and workflow", async () => {
  const page = await it.open();
  await page.goto(`${base}/metrics`);
  for (const table of ["Destination hosts", "Workflows"]) {
    await page.getByRole("region", { name: table, exact: true }).getByRole("row").nth(1).waitFor();
  }
  await page.getByRole("link", { name: "3 days" }).click();
  await page.getByRole("link", { name: "3 days" }).and(page.locator("[aria-current]")).waitFor();
  await finish(page);
});
