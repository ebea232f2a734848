// What is checked of Hangul that an input method composes in the demo's tab: it is sent whole and
// once, whatever ends the composition.
"use strict";

const assert = require("node:assert/strict");

/** Makes the checks of what the tab's other checks are made of. */
exports.checks = ({ open, answers, logs, type }) => {
  /** Opens the page; what composes text in its field, commits it, and presses keys in the raw. */
  const begin = async (page) => {
    await open(page);
    await page.waitForFunction(() => document.activeElement?.id === "field");
    const protocol = await page.context().newCDPSession(page);
    const field = page.getByLabel("Send a message");
    const compose = async (syllables, before = "") => {
      for (const text of syllables) {
        const selection = { selectionStart: text.length, selectionEnd: text.length };
        await protocol.send("Input.imeSetComposition", { text, ...selection });
        assert.equal(await field.inputValue(), before + text);
      }
    };
    const commit = (text) => protocol.send("Input.insertText", { text });
    const enter = (windowsVirtualKeyCode) => {
      const key = { key: "Enter", code: "Enter", text: "\r", windowsVirtualKeyCode };
      return protocol.send("Input.dispatchKeyEvent", { type: "keyDown", ...key });
    };
    return { field, compose, commit, enter };
  };

  /** The server has this and no more: what is sent last shows that nothing was on its way. */
  const hasOnly = async (page, messages) => {
    await type(page, "end");
    await logs(page.server, [...messages, "end"].map((message) => `received ${message}`));
  };

  return {
    "Hangul is composed, and Enter meanwhile sends nothing": async (page) => {
      const { field, compose, commit } = await begin(page);
      await compose(["ㅎ", "하", "한"]);
      await page.keyboard.press("Enter");
      assert.equal(await field.inputValue(), "한");
      await commit("한");
      await compose(["ㄱ", "그", "글"], "한");
      await commit("글");
      assert.deepEqual(page.server.log, []);
      await page.keyboard.press("Enter");
      await answers(page, "한글");
      assert.equal(await field.inputValue(), "한글");
      await hasOnly(page, ["한글"]);
    },
    "an Enter that the input method took sends nothing": async (page) => {
      const { compose, commit, enter } = await begin(page);
      await compose(["ㅎ", "하", "한"]);
      await commit("한");
      // Safari tells of it when the composition is over, and by its code alone.
      await enter(229);
      await compose(["ㄱ", "그", "글"], "한");
      await commit("글");
      await enter(13);
      await answers(page, "한글");
      await hasOnly(page, ["한글"]);
    },
    "a space ends a syllable and stands behind it": async (page) => {
      const { compose, commit } = await begin(page);
      await compose(["ㅎ", "하", "한"]);
      await commit("한");
      await page.keyboard.press("Space");
      await compose(["ㄱ", "그", "글"], "한 ");
      await commit("글");
      await page.keyboard.press("Enter");
      await hasOnly(page, ["한 글"]);
    },
    "the button sends what is being composed whole and once": async (page) => {
      const { field, compose } = await begin(page);
      await compose(["ㅎ", "하", "한"]);
      await page.getByRole("button", { name: "Send message" }).click();
      await answers(page, "한");
      assert.equal(await field.inputValue(), "한");
      await hasOnly(page, ["한"]);
    },
    "what is being composed stays when the focus goes": async (page) => {
      const { field, compose } = await begin(page);
      await compose(["ㅎ", "하", "한"]);
      await page.getByText("Connection", { exact: true }).click();
      assert.equal(await field.inputValue(), "한");
      await field.click();
      await page.keyboard.press("Enter");
      await hasOnly(page, ["한"]);
    },
  };
};
