// The page that `talkback hub`, whose program is at URL, serves: two hubs over a Redis, one of which is killed and comes back.
const { spawn } = require("node:child_process");
const { once } = require("node:events");
const net = require("node:net");
const { pictures, run, until, url: program } = require("./engines.cjs");
const { fits, isAccessible } = require("./person.cjs");

const greeting = "안녕하세요, 두 허브";

async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  return port;
}

const listens = (port) =>
  new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1", () => resolve(true) || socket.destroy());
    socket.on("error", () => resolve(false));
  });

async function start(page, port, name, args) {
  const child = spawn(name, args, { stdio: ["ignore", "ignore", "inherit"], env: { ...process.env, RUST_LOG: "error" } });
  page.children.push(child);
  await until(() => listens(port), () => `${name} does not listen`);
  return child;
}

const hub = (page, port, redis, other) =>
  start(page, port, program, ["hub", `127.0.0.1:${port}`, "--redis", `redis://127.0.0.1:${redis}`, "--allow-kill", "--origin", `http://127.0.0.1:${other}`]);

/** Two hubs, and the page of the first. */
async function open(page) {
  const [redis, one, other] = [await freePort(), await freePort(), await freePort()];
  await start(page, redis, "redis-server", ["--port", redis, "--bind", "127.0.0.1", "--save", "", "--dir", pictures]);
  await hub(page, one, redis, other);
  await hub(page, other, redis, one);
  await page.goto(`http://127.0.0.1:${one}/#${new URLSearchParams({ topics: "news, 뉴스/서울", other: `ws://127.0.0.1:${other}/` })}`);
  for (const port of [one, other]) await state(page, port, /^connected$/);
  return { redis, one, other };
}

const card = (page, port) => page.locator(".hub", { hasText: `:${port}/` });
const state = (page, port, text) => card(page, port).getByRole("status").filter({ hasText: text }).waitFor();
const came = async (page, port) => Number(await card(page, port).locator("tbody tr").first().locator("td").nth(2).textContent());
const entry = (page, text) => page.locator("#entries li", { hasText: text }).first().waitFor();

async function says(page, text) {
  await page.getByLabel("Publish to the first").fill(text);
  await page.keyboard.press("Enter");
}

run(
  {
    "hub: what one is told, both tell, also what came while one was gone": async (page) => {
      const { redis, one, other } = await open(page);
      await says(page, greeting);
      for (const port of [one, other]) await entry(page, `:${port}/, news: ${greeting}`);
      await page.getByLabel("Ten times").check();
      await until(async () => (await came(page, other)) > 5, () => "nothing comes");
      await card(page, other).getByRole("button").click();
      await entry(page, "is gone: code 1006");
      await says(page, "meanwhile");
      await entry(page, `:${one}/, news: meanwhile`);
      await hub(page, other, redis, one);
      await entry(page, "goes on where it was");
      await entry(page, `:${other}/, news: meanwhile`);
      await page.getByLabel("Ten times").uncheck();
      await until(async () => (await came(page, one)) === (await came(page, other)), () => "some are missing");
      await page.setViewportSize({ width: 1000, height: 520 });
      await page.screenshot({ path: `${pictures}/hub-recovered.png` });
      // The browser tells of each try.
      page.complaints.length = 0;
    },
    "hub: is told what is wrong": async (page) => {
      const { one } = await open(page);
      const told = (text) => page.getByRole("alert").filter({ hasText: text }).waitFor();
      await page.getByLabel("Hub", { exact: true }).fill("localhost:9001");
      await page.keyboard.press("Enter");
      await told("is no hub's URL");
      await page.getByLabel("Hub", { exact: true }).fill(`ws://127.0.0.1:${one}/`);
      await page.getByLabel("Key").fill("no token");
      await page.keyboard.press("Enter");
      await told("This cannot be used");
    },
    ...Object.fromEntries(
      ["light", "dark"].map((colorScheme) => [
        `hub: has no violation, ${colorScheme}, and fits a small screen`,
        async (page) => {
          await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
          await open(page);
          await says(page, greeting);
          await entry(page, greeting);
          await isAccessible(page, colorScheme);
          await page.screenshot({ path: `${pictures}/hub-${colorScheme}.png` });
          await page.setViewportSize({ width: 320, height: 600 });
          await fits(page);
        },
      ]),
    ),
  },
  {
    begin: (page) => (page.children = []),
    end: (page) => page.children.forEach((child) => child.kill("SIGKILL")),
  },
);
