// The chat room of examples/chat, whose program is at URL, used by several people: they hear each other, also after it
// has been stopped and started again.
const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const { once } = require("node:events");
const { pictures, run, until, url: program } = require("./engines.cjs");
const { fits, inputMethod, isAccessible } = require("./person.cjs");

const greeting = "안녕하세요";
const field = (page) => page.getByLabel("Say something");
const state = (page, text) => page.locator("#state", { hasText: text }).waitFor();
const texts = (page, list) => page.locator(`${list} li`).allTextContents();

/** Starts the room, at an address that it had or at one of its own choosing. */
async function open(address = "127.0.0.1:0") {
  const room = spawn(program, [address], { stdio: ["ignore", "pipe", "inherit"] });
  room.said = "";
  room.stdout.setEncoding("utf8").on("data", (text) => (room.said += text));
  await until(() => room.said.includes("\n"), () => `it says ${room.said}`);
  room.url = room.said.match(/http:\S+/)[0];
  return room;
}

/** Ctrl-C, as a terminal sends it; what the room says of its end. */
async function stop(room) {
  const ended = once(room, "close");
  room.kill("SIGINT");
  assert.deepEqual(await ended, [0, null]);
  return room.said;
}

async function enter(page, room, name) {
  if (!page.url().startsWith(room.url)) await page.goto(room.url);
  await page.getByLabel("Your name").fill(name);
  await page.keyboard.press("Enter");
  await state(page, /^connected$/);
}

async function says(page, text) {
  await field(page).fill(text);
  await field(page).press("Enter");
}

/** Waits until a list is this. */
const lists = async (page, list, wanted) => {
  let got;
  const isSo = async () => JSON.stringify((got = await texts(page, list))) === JSON.stringify(wanted);
  await until(isSo, () => `${list} is ${JSON.stringify(got)}`);
};

/** Another page of the same browser. */
async function beside(page) {
  const other = await page.context().browser().newPage();
  page.others.push(other);
  return other;
}

/** Has a page's seconds pass by `tick`, and its waits be short ones. */
function waitsForTicks() {
  Math.random = () => 0.1;
  window.setTimeout = (happens, _, ...given) => (window.tick = () => happens(...given));
}

const tick = (page) => page.evaluate(() => window.tick());

run({
  "two hear each other, and see who is there": async (page) => {
    const other = await beside(page);
    await enter(page, page.room, "수진");
    await lists(page, "#there", ["수진"]);
    await enter(other, page.room, "<b>민준</b>");
    for (const one of [page, other]) await lists(one, "#there", ["수진", "<b>민준</b>"]);
    const { compose, commit, enter: press } = await inputMethod(page, field(page));
    await compose("ㅎ하한");
    await press(229);
    await commit("한");
    await compose("ㄱ그글", "한");
    await commit("글");
    await page.keyboard.press("Enter");
    await says(other, greeting);
    for (const one of [page, other]) await lists(one, "#lines", ["수진 한글", `<b>민준</b> ${greeting}`]);
    await other.close();
    await lists(page, "#there", ["수진"]);
  },
  "a room that is stopped says so, and all are back once it is started again": async (page) => {
    const other = await beside(page);
    for (const one of [page, other]) await one.addInitScript(waitsForTicks);
    await enter(page, page.room, "수진");
    await enter(other, page.room, "민준");
    await says(page, "one");
    await lists(other, "#lines", ["수진 one"]);
    const said = await stop(page.room);
    assert.match(said, /connections: 2 closed/);
    for (const one of [page, other]) {
      await state(one, /^the server restarts: again in 1 s$/);
      assert.deepEqual(await texts(one, "#there"), []);
    }
    await says(page, greeting);
    assert.equal(await field(page).inputValue(), greeting);
    // One comes back too early.
    await tick(page);
    await state(page, /^the connection is lost: again in 2 s$/);
    page.room = await open(new URL(page.room.url).host);
    for (const one of [page, page, other]) await tick(one);
    for (const one of [page, other]) await state(one, /^connected$/);
    await field(page).press("Enter");
    for (const one of [page, other]) await lists(one, "#lines", ["수진 one", `수진 ${greeting}`]);
    // Chromium tells of each connection that failed.
    page.complaints.length = 0;
  },
  "a line that is too long ends it, until somebody enters again": async (page) => {
    await enter(page, page.room, "수진");
    await page.evaluate(() => document.getElementById("text").removeAttribute("maxlength"));
    await says(page, "가".repeat(2_000));
    await state(page, /^closed, code 1009$/);
    await enter(page, page.room, "수진");
  },
  "is accessible, and fits": async (page) => {
    for (const [colorScheme, width, height] of [["light", 640, 480], ["dark", 320, 480]]) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.setViewportSize({ width, height });
      await page.goto(page.room.url);
      await isAccessible(page, `${colorScheme}, before`);
      await enter(page, page.room, "수진");
      await says(page, greeting);
      await says(page, "가나다라".repeat(50) + "w".repeat(200));
      await lists(page, "#there", ["수진"]);
      await until(async () => (await texts(page, "#lines")).length === 2, () => "a line is missing");
      await isAccessible(page, colorScheme);
      await fits(page);
      await page.screenshot({ path: `${pictures}/chat-${colorScheme}.png` });
    }
  },
}, {
  begin: async (page) => {
    page.others = [];
    page.room = await open();
  },
  end: async (page) => {
    for (const other of page.others) await other.close();
    page.room.kill("SIGKILL");
  },
});
