// Drives the page of the simulated Slack in a browser: Alice requests access, Bob
// approves it, she asks for more time on App Home, he approves that too, and she
// ends it. Then she takes access in an emergency, which he revokes and reviews, asks for
// something that he gives with changes, and for access that starts later. Everything is
// found as people find it, by what it is and says.
//
//   node job.mjs URL CHROMIUM [FOLDER]
//
// At each station it writes a line to standard output, and waits for a line on
// standard input before it goes on, so that whoever started it can look at what was
// done meanwhile. Where a screen is worth it, axe looks at it, in light and dark and
// on a narrow window; with a folder, README's pictures are written there, and with the
// variable LOOK, which names a folder too, those of every screen. The last line is
// {clicks, faults}; the clicks are those of the first request.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import axe from 'axe-core';
import { chromium } from 'playwright-core';

const [url, executablePath, folder] = process.argv.slice(2);
const patience = 4 * 60_000; // of milliseconds, for what becomes visible
const wide = { width: 1200, height: 720 };
const narrow = { width: 390, height: 844 };

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
async function station(name) {
  console.log(name);
  await answers.next();
}

let clicks = 0;
async function click(button) {
  clicks++;
  await button.click();
}

// choose takes two clicks of people: one on the list, one on the option. With the
// keyboard it takes none: type types the beginning of the option.
async function choose(list, label) {
  clicks += 2;
  await list.selectOption({ label });
}

async function type(list, beginning) {
  await list.focus();
  await list.page().keyboard.type(beginning);
}

const faults = [];

// look has axe examine what a page shows, and takes its picture.
async function look(page, name, picture) {
  for (const size of [wide, narrow]) {
    for (const colorScheme of ['light', 'dark']) {
      await page.setViewportSize(size);
      await page.emulateMedia({ colorScheme });
      const { violations } = await page.evaluate(() => window.axe.run());
      for (const { id, help, nodes } of violations) {
        faults.push(`${name}, ${colorScheme}, ${size.width} px wide: ${help} (${id}): ${nodes.map((n) => n.html).join(' ')}`);
      }
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      if (process.env.LOOK) await page.screenshot({ path: join(process.env.LOOK, `${name.replace(/\W+/g, '-')}-${size.width}-${colorScheme}.png`) });
      if (wider > 0) faults.push(`${name}, ${size.width} px wide: it is ${wider} px wider than the window`);
    }
  }
  await page.setViewportSize(wide);
  await page.emulateMedia({ colorScheme: 'light' });
  if (folder && picture) await page.screenshot({ path: join(folder, picture + '.png') });
}

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
async function person(name) {
  const context = await browser.newContext({ viewport: wide, reducedMotion: 'reduce', bypassCSP: true, locale: 'en-GB' });
  context.setDefaultTimeout(patience);
  await context.addInitScript(axe.source);
  const page = await context.newPage();
  page.on('pageerror', (error) => faults.push(`${name}'s page: ${error}`));
  await page.goto(`${url}/?as=${name}`);
  await page.getByRole('textbox', { name: 'Message' }).waitFor();
  return page;
}

const button = (within, name) => within.getByRole('button', { name, exact: true });
// later moves the clock. Its buttons are disabled while it moves, and a key pressed then is lost.
const later = (page, step) => page.getByRole('button', { name: step, exact: true, disabled: false }).press('Enter');
const seen = (within, text) => within.getByText(text).first().waitFor();
const messages = (page) => page.getByRole('log', { name: 'Messages' });

if (folder) await mkdir(folder, { recursive: true });
const [alice, bob, lead] = await Promise.all(['alice', 'bob', 'lead'].map(person));
await look(alice, 'start');
for (const page of [alice, bob, lead]) {
  await button(page, 'Got it').press('Enter');
}

// Request.
await alice.getByRole('textbox', { name: 'Message' }).fill('/sym req prod-access');
await alice.keyboard.press('Enter');
const form = alice.getByRole('dialog');
await form.waitFor();
await type(form.getByLabel('Target'), 'Orders');
await form.getByLabel('Why do you need it?').fill('Order 1042 is stuck between payment and shipping');
await choose(form.getByLabel('For how long?'), '1 hour');
await look(alice, 'form');
await click(button(form, 'Submit'));
await form.waitFor({ state: 'hidden' });
await station('requested');

// Approve.
await click(bob.getByRole('button', { name: /access-prod/ }));
await seen(messages(bob), 'Order 1042 is stuck');
await look(bob, 'request');
await click(button(messages(bob), 'Approve'));
await seen(messages(bob), /Access is live/);
await seen(bob.getByRole('complementary'), /Alice has access to Orders database/);
await station('granted');

// Extend, from App Home.
await click(alice.getByRole('button', { name: 'Sym Home' }));
await button(messages(alice), 'Extend…').waitFor();
await look(alice, 'Home', 'home');
await click(button(messages(alice), 'Extend…'));
await form.waitFor();
await form.getByLabel('Why').fill('The index is still being built');
await look(alice, 'form for more time');
await click(button(form, 'Ask'));
await form.waitFor({ state: 'hidden' });
await station('asked for more');
await button(messages(bob), 'Approve more time').waitFor();
await click(button(messages(bob), 'Approve more time'));
await button(messages(bob), 'Approve more time').waitFor({ state: 'hidden' });
await station('extended');
await messages(bob).getByText(/\d+ repl(y|ies)/).evaluate((summary) => { summary.closest('details').open = true; });
await look(bob, 'live', 'request');

// What admins see.
await lead.getByRole('button', { name: 'Sym Home' }).press('Enter');
await seen(messages(lead), 'Orders database');
await look(lead, "admin's Home");

// What an admin is told would come of a request.
await button(messages(lead), '🧭 Explain a request…').press('Enter');
const asked = lead.getByRole('dialog');
await asked.getByLabel('Flow').selectOption({ label: 'Production access' });
await asked.getByLabel('Who asks').selectOption({ label: 'Carol' });
await asked.getByLabel('For how long').fill('1h');
await look(lead, "admin's question");
await button(asked, 'Explain').press('Enter');
await seen(asked, 'People decide');
await seen(asked, 'Once approved');
await look(lead, "admin's explanation");
await button(asked, 'Close').press('Enter');
await asked.waitFor({ state: 'hidden' });

// Time that passes is no end of it: there are thirty minutes more.
await later(alice, '+1 h');
await station('an hour later');

// End.
await click(button(messages(alice), 'End now'));
await click(button(alice.getByRole('dialog'), 'End now'));
await seen(alice.getByRole('complementary'), 'Nobody has access to anything');
await seen(messages(bob), /Alice ended/);
await station('ended');
const whole = clicks;

// ask has Alice fill in the form of the other flow.
async function ask(reason, more = async () => {}) {
  await alice.getByRole('textbox', { name: 'Message' }).fill('/sym req shop-admin');
  await alice.keyboard.press('Enter');
  await form.waitFor();
  await type(form.getByLabel('Target'), 'Orders');
  await form.getByLabel('Why do you need it?').fill(reason);
  await choose(form.getByLabel('For how long?'), '1 hour');
  await more();
  await click(button(form, 'Submit'));
  await form.waitFor({ state: 'hidden' });
}

// last is the newest card of a request that was made with a reason.
const last = (page, reason) => messages(page).getByRole('article').filter({ hasText: reason }).last();

// An emergency, and its review.
await alice.getByRole('button', { name: /access-prod/ }).press('Enter');
const shop = 'Customers can not pay, and the queue grows';
await ask(shop, async () => {
  await form.getByLabel(/Emergency/).check();
  await look(alice, 'form of an emergency');
});
await seen(last(bob, shop), /Access is live/);
await look(bob, 'emergency');
await station('taken');
await click(button(last(bob, shop), 'Revoke'));
await click(button(bob.getByRole('dialog'), 'Revoke'));
await button(last(bob, shop), 'Reviewed…').waitFor();
await look(bob, 'emergency to review');
await station('taken away');
await click(button(last(bob, shop), 'Reviewed…'));
const review = bob.getByRole('dialog');
await review.getByLabel('What did you find?').fill('Two stuck payments were released by hand');
await look(bob, 'form of a review');
await click(button(review, 'Reviewed'));
await seen(last(bob, shop), /Reviewed by/);
await look(bob, 'reviewed');
await station('reviewed');

// Approved with changes.
const index = 'Look at the index of last night';
await ask(index);
await click(button(last(bob, index), 'Approve with changes…'));
const changes = bob.getByRole('dialog');
await choose(changes.getByLabel('Target'), 'Customers database');
await choose(changes.getByLabel('For how long?'), '10 minutes');
await look(bob, 'form of changes');
await click(button(changes, 'Approve'));
await seen(last(bob, index), /Access is live/);
await look(bob, 'approved with changes');
await station('given less');
await later(bob, '+1 h');
await seen(last(bob, index), /Access has ended/);
await station('less is over');

// A later start.
const report = 'The report of the quarter';
const starts = new Date(Date.now() + 5 * 3600_000); // the clock of the page is two hours ahead
await ask(report, async () => {
  const two = (n) => String(n).padStart(2, '0');
  await form.getByLabel('Start').fill(`${starts.getFullYear()}-${two(starts.getMonth() + 1)}-${two(starts.getDate())}T${two(starts.getHours())}:${two(starts.getMinutes())}`);
  await look(alice, 'form of a later start');
});
await click(button(last(bob, report), 'Approve'));
await seen(last(bob, report), /Access starts/);
await look(bob, 'later start');
await station('to start later');
for (const step of ['+1 h', '+1 h', '+1 h', '+1 min']) await later(bob, step);
await seen(last(bob, report), /Access is live/);
await station('started');
await later(bob, '+1 h');
await seen(last(bob, report), /Access has ended/);
await station('over');

// What there is to see of it afterwards.
await alice.getByRole('textbox', { name: 'Message' }).fill('/sym list');
await alice.keyboard.press('Enter');
await seen(messages(alice), 'What happened so far');
await look(alice, '/sym list');
await alice.getByRole('textbox', { name: 'Message' }).fill('/sym show');
await alice.keyboard.press('Enter');
await seen(messages(alice), 'Which one?');
await look(alice, '/sym show');
await alice.getByRole('button', { name: 'Sym Home' }).press('Enter');
await seen(messages(alice), 'My requests');
await look(alice, 'Home afterwards');

// What would come of a request, and why one that there is stands where it does.
const explain = alice.getByRole('dialog', { name: 'What would come of a request?' });
await button(alice, 'What would come of a request…').press('Enter');
await explain.waitFor();
await explain.getByLabel('Flow').selectOption({ label: 'Shop administration' });
await explain.getByLabel('Who asks').selectOption({ label: 'Carol' });
await explain.getByLabel('For how long?').selectOption({ label: '1 hour' });
await look(alice, 'explain, asked');
await button(explain, 'Explain').press('Enter');
await seen(explain, 'People decide');
await seen(explain, "you can't approve your own request");
await seen(explain, 'named in the flow');
await seen(explain, 'orders-db');
await seen(explain, /Carol got access to Orders database/);
await look(alice, 'explained');
await explain.getByLabel('It is an emergency').check();
await button(explain, 'Explain').press('Enter');
await seen(explain, 'It can’t be asked for');
await look(alice, 'explained, refused');
await button(explain, 'Close').press('Enter');
await explain.waitFor({ state: 'hidden' });
await lead.getByRole('list', { name: /Audit records/ }).locator('details').first().evaluate((d) => { d.open = true; });
await lead.getByRole('button', { name: /Timeline of request/ }).first().press('Enter');
await button(lead, 'Why is it here?').press('Enter');
const why = lead.getByRole('dialog', { name: /Why is request/ });
await seen(why, 'Access has ended');
await look(lead, 'explained run');
await button(why, 'Close').press('Enter');
await why.waitFor({ state: 'hidden' });

await lead.getByRole('button', { name: 'Sym Home' }).press('Enter'); // Slack draws it anew when it is opened
await seen(messages(lead), /Nobody has access/);
await look(lead, "admin's Home afterwards");
await browser.close();
console.log(JSON.stringify({ clicks: whole, faults }));
process.exit(0);
