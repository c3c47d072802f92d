#!/usr/bin/env node
// Opens a page of `report` in headless Chromium and looks for what a reader would complain about:
//
//     npm install axe-core vnu-jar               (once, anywhere)
//     node scripts/page-check/check.mjs PAGE.html… [--axe node_modules/axe-core/axe.min.js] \
//         [--vnu node_modules/vnu-jar/build/dist/vnu.jar] [--shots DIR]
//
// With JavaScript and without, light and dark, 1280 and 390 pixels wide: errors of the console, requests to
// anything but the page and those beside it, content wider than the window, labels of charts that overlap or leave
// their figure, and, with --axe, what axe-core reports; --vnu does the same with the validator of the W3C.
// --shots DIR keeps pictures and a PDF. Needs chromium (or CHROMIUM) and node 20 or later; --vnu needs java.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';

// node 20 has it behind an option
if (typeof WebSocket === 'undefined') {
  const again = ['--experimental-websocket', '--no-warnings', ...process.argv.slice(1)];
  process.exit(process.execArgv.length ? 1 : spawnSync(process.execPath, again, { stdio: 'inherit' }).status ?? 1);
}
const args = process.argv.slice(2);
const option = (name) => (args.includes(name) ? args.splice(args.indexOf(name), 2)[1] : null);
const [axe, vnu, shots] = [option('--axe'), option('--vnu'), option('--shots')];
if (!args.length) throw new Error('which page?');
const home = mkdtempSync(join(tmpdir(), 'page-check-'));
const browser = spawn(process.env.CHROMIUM || 'chromium', [
  '--headless=new', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--remote-debugging-port=0',
  '--no-first-run', '--disable-background-networking', '--disable-component-update', '--host-resolver-rules=MAP * ~NOTFOUND',
  `--user-data-dir=${home}`, 'about:blank',
], { stdio: 'ignore' });
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function connect() {
  for (let i = 0; i < 300; i++, await sleep(100)) {
    const file = join(home, 'DevToolsActivePort');
    const port = existsSync(file) && readFileSync(file, 'utf8').split('\n')[0];
    if (!port) continue;
    try {
      const targets = await (await fetch(`http://127.0.0.1:${port}/json/list`)).json();
      const target = targets.find((one) => one.type === 'page');
      if (target) return new WebSocket(target.webSocketDebuggerUrl);
    } catch { /* not listening yet */ }
  }
  browser.kill();
  throw new Error("the browser does not start");
}

const socket = await connect();
await new Promise((done) => { socket.onopen = done; });
let last = 0;
const waiting = new Map();
let events = [];
socket.onmessage = ({ data }) => {
  const message = JSON.parse(data);
  if (message.id) waiting.get(message.id)(message); else events.push(message);
};
const send = (method, params = {}) => new Promise((done, fail) => {
  waiting.set(++last, (answer) => (answer.error ? fail(new Error(`${method}: ${answer.error.message}`)) : done(answer.result)));
  socket.send(JSON.stringify({ id: last, method, params }));
});
const run = async (expression) => {
  const { result, exceptionDetails } = await send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
  if (exceptionDetails) throw new Error(exceptionDetails.exception?.description || exceptionDetails.text);
  return result.value;
};

// labels of one chart that overlap, or leave the figure or the window; content that is wider than the window
const LOOK = `(() => {
  const found = [];
  if (document.documentElement.scrollWidth > innerWidth) found.push('the page is wider than the window: ' + document.documentElement.scrollWidth);
  for (const figure of document.querySelectorAll('.figure')) {
    const frame = figure.getBoundingClientRect();
    for (const svg of figure.querySelectorAll('svg.chart')) {
      const texts = [...svg.querySelectorAll('text')].map((text) => ({ say: text.textContent, box: text.getBoundingClientRect() }));
      texts.forEach(({ say, box }, i) => {
        if (box.left < frame.left || box.right > frame.right || box.top < frame.top || box.bottom > frame.bottom)
          found.push(figure.id + ': "' + say + '" leaves its figure by ' + Math.max(frame.left - box.left, box.right - frame.right).toFixed(1));
        for (const other of texts.slice(i + 1)) {
          const x = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left);
          const y = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top);
          if (x > 1 && y > 4.5) found.push(figure.id + ': "' + say + '" and "' + other.say + '" overlap');
        }
        if (box.height < 8) found.push(figure.id + ': "' + say + '" is ' + box.height.toFixed(1) + ' pixels high');
      });
    }
  }
  for (const text of document.querySelectorAll('h1, h2, h3, .card-value, .card-label, .summary, .rank-value'))
    if (text.scrollWidth > text.clientWidth + 1 && getComputedStyle(text).display !== 'inline') found.push('cut off: ' + text.textContent);
  return found;
})()`;

const PRINT = { width: 688, theme: 'light', script: false, media: 'print' };
const VIEWS = [true, false].flatMap((script) => ['light', 'dark'].flatMap((theme) =>
  [1280, 390].map((width) => ({ width, theme, script, media: 'screen' })))).concat(PRINT);

// opens the page in one way; says what is wrong
async function look(page, { width, theme, script, media }) {
  await send('Emulation.setDeviceMetricsOverride', { width, height: 900, deviceScaleFactor: 1, mobile: false });
  await send('Emulation.setEmulatedMedia', { media, features: [{ name: 'prefers-color-scheme', value: theme }] });
  await send('Emulation.setScriptExecutionDisabled', { value: !script });
  await send('Page.setBypassCSP', { enabled: false });
  events = [];
  await send('Page.navigate', { url: page });
  while (!events.some((event) => event.method === 'Page.loadEventFired')) await sleep(20);
  await sleep(100);
  const complaints = await run(LOOK);
  for (const { method, params } of events) {
    if (method === 'Runtime.exceptionThrown') complaints.push('exception: ' + params.exceptionDetails.text);
    if (method === 'Runtime.consoleAPICalled') complaints.push('console: ' + JSON.stringify(params.args));
    if (method === 'Log.entryAdded' && params.entry.level !== 'verbose') complaints.push('console: ' + params.entry.text);
    if (method === 'Network.requestWillBeSent' && params.request.url.split('#')[0] !== page && !params.request.url.startsWith('data:'))
      complaints.push('request: ' + params.request.url);
  }
  const [sorts, tables] = await run(`['thead button', 'details table'].map((what) => document.querySelectorAll(what).length)`);
  if ((script && tables > 0) !== sorts > 0) complaints.push(`${sorts} headings can be sorted`);
  if (axe && script) {
    complaints.push(...await run(readFileSync(axe, 'utf8') + `;axe.run({ resultTypes: ['violations'] }).then((result) =>
      result.violations.map((v) => 'axe: ' + v.id + ': ' + v.help + ': ' + v.nodes.slice(0, 3).map((node) => node.html.slice(0, 120)).join(' | ')))`));
  }
  return complaints;
}

let n = 0;
const say = (name, complaint) => { console.log(`${name}: ${complaint}`); n += 1; };
for (const domain of ['Page', 'Runtime', 'Network', 'Log']) await send(domain + '.enable');
for (const file of args) {
  const title = basename(file, '.html');
  for (const view of VIEWS) {
    const name = `${title}-${view.media === 'print' ? 'print' : `${view.width}-${view.theme}-${view.script ? 'script' : 'plain'}`}`;
    for (const complaint of await look('file://' + resolve(file), view)) say(name, complaint);
    if (shots) {
      const { data } = await send('Page.captureScreenshot', { captureBeyondViewport: true, format: 'png',
        clip: { x: 0, y: 0, width: view.width, height: await run('document.documentElement.scrollHeight'), scale: 1 } });
      writeFileSync(join(shots, name + '.png'), Buffer.from(data, 'base64'));
    }
  }
  if (shots) {
    const { data } = await send('Page.printToPDF', { preferCSSPageSize: true, printBackground: true });
    writeFileSync(join(shots, title + '-a4.pdf'), Buffer.from(data, 'base64'));
  }
}
if (vnu) {
  const done = spawnSync('java', ['-jar', vnu, '--format', 'text', ...args], { encoding: 'utf8' });
  for (const line of (done.stdout + done.stderr).split('\n').filter((line) => /^(Error|Warning)/.test(line))) say('vnu', line);
  if (done.error) say('vnu', done.error.message);
}
console.log(n ? `${n} complaints` : 'nothing to complain about');
socket.close();
browser.kill();
await new Promise((done) => browser.on('exit', done));
// processes of the browser outlive it by a moment and still write there
rmSync(home, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
process.exitCode = n ? 1 : 0;
