// The unit, and a partner link, as handlers of Restate, in the SDK of TypeScript, the fastest of its SDKs:
//   node worker.mjs PORT MOCKS_URL
import http from "node:http";
import http2 from "node:http2";
import * as restate from "@restatedev/restate-sdk";

const [port, mocks] = process.argv.slice(2);
const { hostname, port: mocksPort } = new URL(mocks);
const PROVIDERS = ["declines", "declines", "approves"];
const CONNECTIONS_MAX = 256;
const COMPLETED = "completed";

// The SDK is made for Node 22; Node 20 lacks this one function of the language.
Promise.withResolvers ??= () => {
  const found = {};
  found.promise = new Promise((resolve, reject) => Object.assign(found, { resolve, reject }));
  return found;
};

const agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS_MAX });

function post(path, body) {
  const raw = JSON.stringify(body);
  const headers = {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(raw),
  };
  return new Promise((resolve, reject) => {
    const options = { host: hostname, port: mocksPort, path, method: "POST", agent, headers };
    const request = http.request(options, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => {
        const said = JSON.parse(Buffer.concat(parts).toString());
        resolve({ status: answer.statusCode, said });
      });
      answer.on("error", reject);
    });
    request.on("error", reject);
    request.end(raw);
  });
}

async function balance(operation, task) {
  const { status } = await post(`/core/${operation}`, { task_id: task });
  if (status !== 200) throw new Error(`core answered ${status}`);
}

async function create(provider, task) {
  const { said } = await post(`/${provider}/create`, { task_id: task, amount: 1000 });
  return said.status;
}

async function notify(order, status) {
  await post("/core/notify", { order_id: order, status });
}

async function withdraw(context, order) {
  for (const [position, provider] of PROVIDERS.entries()) {
    const task = `${order}-${position}`;
    await context.run("freeze", () => balance("freeze", task));
    if ((await context.run("create", () => create(provider, task))) === "succeeded") {
      await context.run("commit", () => balance("commit", task));
      await context.run("notify", () => notify(order, COMPLETED));
      return COMPLETED;
    }
    await context.run("rollback", () => balance("rollback", task));
  }
  await context.run("notify", () => notify(order, "failed"));
  return "failed";
}

async function eligibility(order) {
  const { said } = await post("/partner/eligibility", { task_id: order, amount: 1000 });
  return said.result;
}

async function grant(order) {
  const { status } = await post("/core/memberships", { task_id: order });
  if (status !== 200) throw new Error(`core answered ${status}`);
}

async function link(context, order) {
  await context.run("validate", () => "valid");
  const result = await context.run("eligibility", () => eligibility(order));
  if (result === "eligible") await context.run("grant", () => grant(order));
  await context.run("notify", () => notify(order, COMPLETED));
  return COMPLETED;
}

const unit = restate.service({ name: "unit", handlers: { withdraw, link } });
const endpoint = restate.createEndpointHandler({ services: [unit] });
http2.createServer(endpoint).listen(Number(port), "127.0.0.1");
