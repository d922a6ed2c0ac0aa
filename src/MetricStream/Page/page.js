// The live page: asks the server once a second what it says of itself and shows it; watches one metric over /stream.
// Whatever a server or a client wrote is put in as text, never as markup.

const byId = id => document.getElementById(id);
const window5min = 300;

// ---- Numbers as people read them

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const free = new Intl.NumberFormat('en', { maximumSignificantDigits: 6 });
const none = '–';

const count = n => n == null ? none : whole.format(n);
const rate = n => n == null ? none : n > 0 && n < 100 ? tenth.format(n) : whole.format(n);
const value = v => v == null ? 'no number' : Math.abs(v) >= 1e9 || (v !== 0 && Math.abs(v) < 1e-4) ? v.toExponential(4) : free.format(v);

function bytes(n) {
  if (n == null) return none;
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  while (n >= 1024 && unit < units.length - 1) { n /= 1024; unit++; }
  return `${unit === 0 || n >= 100 ? whole.format(n) : tenth.format(n)} ${units[unit]}`;
}

function milliseconds(ms) {
  if (ms == null) return none;
  if (ms === 0) return '0 ms';
  if (ms < 0.1) return `${Math.max(1, Math.round(ms * 1000))} µs`;
  if (ms < 1) return `${ms.toFixed(2)} ms`;
  if (ms < 100) return `${ms.toFixed(1)} ms`;
  return ms < 10000 ? `${whole.format(ms)} ms` : `${tenth.format(ms / 1000)} s`;
}

function duration(seconds) {
  if (seconds == null) return none;
  if (seconds < 10) return `${tenth.format(seconds)} s`;
  if (seconds < 120) return `${whole.format(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${whole.format(Math.floor(hours / 24))} d ${hours % 24} h`;
}

function ago(unixMs, now) {
  const seconds = Math.max(0, Math.round((now - unixMs) / 1000));
  return seconds < 2 ? 'now' : seconds < 120 ? `${seconds} s ago` : `${duration(seconds)} ago`;
}

const clock = () => new Date().toLocaleTimeString('en-GB');

// Text is replaced only where it changed: nothing is announced or laid out again for nothing.
function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function level(element, name) {
  if (element.dataset.level !== name) element.dataset.level = name;
}

function cell(row, kind, className) {
  const element = document.createElement(kind);
  if (kind === 'th') element.scope = 'row';
  if (className) element.className = className;
  row.append(element);
  return element;
}

// Rows are kept by key, in the order given: a table that is only updated does not jump.
function fill(body, keys, make, update) {
  const rows = body.rowsByKey ??= new Map();
  const wanted = new Set(keys);
  for (const [key, row] of rows) {
    if (!wanted.has(key)) { row.remove(); rows.delete(key); }
  }
  keys.forEach((key, index) => {
    let row = rows.get(key);
    if (!row) { row = make(key); rows.set(key, row); }
    if (body.children[index] !== row) body.insertBefore(row, body.children[index] ?? null);
    update(row, key);
  });
}

// ---- Charts

const dark = matchMedia('(prefers-color-scheme: dark)');
const charts = [];
const color = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// A chart redraws itself with new data, a new width and another colour scheme.
class Chart {
  constructor(element, series, format, atLeast) {
    this.element = element; this.series = series; this.format = format; this.atLeast = atLeast;
    this.data = [[], ...series.map(() => [])];
    charts.push(this);
    if (!window.uPlot) { this.say('This build has no chart library; the numbers are complete without it.'); return; }
    this.readout = document.createElement('p');
    this.readout.className = 'readout';
    this.readout.ariaHidden = 'true'; // The same numbers stand in the card as text.
    element.after(this.readout);
    new ResizeObserver(() => this.resize()).observe(element);
    this.build();
  }

  build() {
    if (!window.uPlot) return;
    this.plot?.destroy();
    const axis = { stroke: color('--muted'), grid: { stroke: color('--line'), width: 1 }, ticks: { stroke: color('--line'), width: 1, size: 4 } };
    this.plot = new uPlot({
      width: Math.max(120, this.element.clientWidth), height: this.element.clientHeight, padding: [8, 18, 0, 0],
      cursor: { drag: { x: false, y: false }, points: { size: 6 } },
      legend: { show: false },
      hooks: { setCursor: [() => this.read()] },
      scales: {
        x: { time: true, range: () => [this.until - window5min, this.until] },
        y: { range: (u, min, max) => this.range(min, max) },
      },
      axes: [
        { ...axis, space: 70, size: 26, values: (u, splits) => splits.map(s => new Date(s * 1000).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })) , incrs: [60, 120, 300] },
        { ...axis, space: 34, size: 62, values: (u, splits) => splits.map(s => this.format === rate ? free.format(s) : this.format(s)) },
      ],
      series: [
        {},
        ...this.series.map(s => ({
          label: s.label, stroke: color(s.color), width: 1.75, dash: s.dash,
          points: { show: s.points ?? false, size: 4 },
        })),
      ],
    }, this.data, this.element);
    this.show();
  }

  range(min, max) {
    if (this.atLeast != null) return [0, Math.max(this.atLeast, (max ?? 0) * 1.1)];
    if (min == null) return [0, 1];
    if (min === max) return [min - (Math.abs(min) || 1) * .1, max + (Math.abs(max) || 1) * .1];
    const room = (max - min) * .08;
    return [min - room, max + room];
  }

  get until() { return this.data[0].length ? this.data[0][this.data[0].length - 1] : Date.now() / 1000; }

  set(data) { this.data = data; this.show(); }

  show() {
    if (!this.plot) return;
    this.plot.setData(this.data);
    this.read();
  }

  // The values under the pointer, else the last ones.
  read() {
    if (!this.plot) return;
    const at = this.plot.cursor.idx ?? this.data[0].length - 1;
    const wanted = 1 + this.series.length;
    while (this.readout.children.length > wanted) this.readout.lastChild.remove();
    while (this.readout.children.length < wanted) this.readout.append(document.createElement('span'));
    const second = this.data[0][at];
    put(this.readout.children[0], second == null ? '' : new Date(second * 1000).toLocaleTimeString('en-GB'));
    this.series.forEach((s, i) => {
      const item = this.readout.children[i + 1];
      if (item.dataset.color !== s.color) { item.dataset.color = s.color; item.style.setProperty('--c', `var(${s.color})`); }
      const shown = this.data[i + 1][at] == null ? none : this.format(this.data[i + 1][at]);
      put(item, s.short ? shown : `${s.label} ${shown}`);
    });
  }

  resize() {
    const width = Math.max(120, this.element.clientWidth);
    const height = this.element.clientHeight;
    if (this.plot && (width !== this.plot.width || height !== this.plot.height)) this.plot.setSize({ width, height });
  }

  say(text) {
    let empty = this.element.querySelector('.empty');
    if (!text) { empty?.remove(); return; }
    if (!empty) { empty = document.createElement('p'); empty.className = 'empty'; this.element.append(empty); }
    put(empty, text);
  }
}

dark.addEventListener('change', () => charts.forEach(chart => chart.build()));

// ---- What the server says of itself

const flow = new Chart(byId('flow-chart'), [
  { label: 'in', color: '--in' }, { label: 'acknowledged', color: '--ack' }, { label: 'stored', color: '--stored', dash: [5, 3] },
  { label: 'refused', color: '--refused' },
], rate, 10);
const latency = new Chart(byId('latency-chart'), [
  { label: 'p50', color: '--ack' }, { label: 'p99', color: '--s3' },
], milliseconds, 1);
const waiting = new Chart(byId('queue-chart'), [{ label: 'batches that wait', color: '--ack' }], count, 10);

const history = { time: [], in: [], acknowledged: [], stored: [], refused: [], p50_ms: [], p99_ms: [], queued: [], spilled: [] };

function addHistory(news) {
  if (news.time.length === 0) return;
  for (const column of Object.keys(history)) {
    history[column].push(...news[column]);
    history[column].splice(0, Math.max(0, history[column].length - window5min));
  }
  const x = history.time.map(ms => ms / 1000);
  flow.set([x, history.in, history.acknowledged, history.stored, history.refused]);
  latency.set([x, history.p50_ms, history.p99_ms]);
  waiting.set([x, history.queued.map((queued, i) => queued + history.spilled[i])]);
}

// One word, one sentence, one colour: the worst thing that is true.
function stateOf(stats) {
  const held = stats.store.trouble;
  const behind = stats.queue.oldest_seconds;
  const full = stats.queue.full_in_seconds;
  const kafka = stats.queue.kind === 'kafka';
  if (stats.state === 'draining')
    return ['warn', 'Draining', 'The server is stopping. It takes no new batch; what it has acknowledged is on disk.'];
  if (!stats.ready)
    return ['bad', 'Not taking batches', stats.not_ready];
  if (stats.missing !== 0)
    return ['bad', 'Batches are missing', `The store went past ${count(Math.abs(stats.missing))} acknowledged batches without an outcome. Keep the data directory and look at the log.`];
  if (full != null && full < 3600)
    return ['warn', 'Filling up', `At this pace the queue is full in ${duration(full)}; then posts are answered 503 until the store catches up.`];
  if (held)
    return ['warn', 'Storing is held up', `Batches are taken and kept on disk. ${held}`];
  if (stats.state === 'spilling')
    return ['warn', 'Spilling', 'Kafka is away. Batches are taken and fsynced on this server until it is back.'];
  if (stats.state === 'replaying')
    return ['warn', 'Replaying', 'Kafka is back. What was spilled goes there now, in order for each client.'];
  if (stats.admission.trouble)
    return ['warn', 'Old keys in force', `The files of keys and limits do not hold as they are; what was in force before goes on. ${stats.admission.trouble}`];
  if (behind > 10)
    return ['warn', 'Catching up', `Batches are taken; the store is ${duration(behind)} behind. Nothing is lost.`];
  const where = kafka ? 'acknowledged by all in-sync replicas' : 'fsynced on this disk';
  const idle = stats.rates.in === 0;
  const then = idle ? 'None has come in for the last few seconds.' : stats.store.kind === 'none' ? 'Batches stay in the queue: this server has no store.' : 'Batches are stored as they come.';
  return ['ok', idle ? 'Ready' : 'Taking batches', `A batch is ${where} before its answer. ${then}`];
}

function showStats(stats) {
  const [how, word, say] = stateOf(stats);
  level(byId('state'), how);
  put(byId('state-word'), word);
  put(byId('state-say'), say);
  for (const mode of byId('modes').children) {
    if (mode.dataset.mode === stats.state) mode.setAttribute('aria-current', 'true');
    else mode.removeAttribute('aria-current');
  }
  document.title = how === 'ok' ? 'MetricStream' : `${word} – MetricStream`;
  put(byId('uptime'), duration(stats.uptime_seconds));
  byId('logout').hidden = stats.admission.keys === 0;

  put(byId('missing'), count(stats.missing));
  level(byId('missing'), stats.missing === 0 ? 'ok' : 'bad');
  for (const part of ['acknowledged', 'stored', 'queued', 'spilled', 'duplicates', 'quarantined', 'dead_lettered'])
    put(byId(`law-${part}`), count(stats[part]));

  for (const part of ['in', 'acknowledged', 'stored', 'refused']) put(byId(`rate-${part}`), rate(stats.rates[part]));

  for (const row of byId('latency').children) {
    const part = stats.latency[row.dataset.part];
    if (row.dataset.part === 'broker') row.hidden = !part;
    put(row.children[1], milliseconds(part?.p50_ms));
    put(row.children[2], milliseconds(part?.p99_ms));
  }
  latency.say(stats.latency.batches === 0 && history.p99_ms.every(ms => ms == null) ? 'No batch in the last five minutes.' : '');

  const queue = stats.queue;
  const share = queue.bytes / queue.max_bytes;
  byId('queue-fill').style.transform = `scaleX(${Math.min(1, share).toFixed(4)})`;
  level(byId('queue-fill'), share > .9 ? 'bad' : share > .6 ? 'warn' : 'ok');
  put(byId('queue-bytes'), bytes(queue.bytes));
  put(byId('queue-max'), `${bytes(queue.max_bytes)} (${tenth.format(share * 100)} %)`);
  const waits = stats.queued + stats.spilled;
  put(byId('queue-title'), queue.kind === 'kafka' ? 'Queue' : 'Queue on disk');
  put(byId('queue-hint'), queue.kind === 'kafka'
    ? 'What is acknowledged and not stored yet, in Kafka and in the spill. The bar is the spill on disk.'
    : 'What is acknowledged and not stored yet.');
  put(byId('queue-batches'), count(waits));
  put(byId('queue-age'), waits > 0 ? duration(queue.oldest_seconds) : none);
  put(byId('queue-full'), queue.full_in_seconds == null ? 'not filling' : duration(queue.full_in_seconds));

  showKafka(stats);
  showClients(stats);
}

function showKafka(stats) {
  byId('kafka').hidden = stats.queue.kind !== 'kafka';
  if (byId('kafka').hidden) return;
  put(byId('spill-batches'), count(stats.spilled));
  put(byId('spill-bytes'), bytes(stats.spill?.bytes));
  put(byId('spill-rate'), rate(stats.spill?.replayed_per_second));
  const partitions = new Map((stats.partitions ?? []).map(p => [p.partition, p]));
  fill(byId('partitions'), [...partitions.keys()].sort((a, b) => a - b), () => {
    const row = document.createElement('tr');
    cell(row, 'th', 'n');
    for (let i = 0; i < 4; i++) cell(row, 'td', 'n');
    cell(row, 'td');
    return row;
  }, (row, key) => {
    const p = partitions.get(key);
    [count(key), count(p.high_watermark), count(p.committed), count(p.lag), duration(p.lag_seconds), p.owner === stats.queue.server ? 'this server' : p.owner ?? 'nobody']
      .forEach((text, i) => put(row.children[i], text));
  });
}

// What each client had acknowledged at the last few looks: its pace is the difference.
const paces = new Map();

function paceOf(client, now) {
  const looks = paces.get(client.client) ?? [];
  paces.set(client.client, looks);
  looks.push([now, client.acknowledged]);
  while (looks.length > 2 && now - looks[0][0] > 5000) looks.shift();
  const [at, before] = looks[0];
  return now > at ? (client.acknowledged - before) * 1000 / (now - at) : null;
}

function showClients(stats) {
  const clients = new Map(stats.clients.map(client => [client.client, client]));
  const names = [...clients.keys()].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  for (const name of paces.keys()) if (!clients.has(name)) paces.delete(name);
  byId('clients-scroll').hidden = names.length === 0;
  put(byId('clients-hint'), names.length === 0 ? 'Nobody has posted yet. POST a batch to /metrics.'
    : names.length < listed ? (names.length === 1 ? '1 client' : `${names.length} clients`) : `the ${listed} seen last`);
  fill(byId('clients'), names, name => {
    const row = document.createElement('tr');
    const head = cell(row, 'th');
    head.textContent = head.title = name;
    for (let i = 0; i < 4; i++) cell(row, 'td', 'n');
    cell(row, 'td');
    return row;
  }, (row, name) => {
    const client = clients.get(name);
    [ago(client.last_seen, stats.now), rate(paceOf(client, stats.now)), count(client.acknowledged), count(client.rejected)]
      .forEach((text, i) => put(row.children[i + 1], text));
    const last = row.children[5];
    put(last, client.last_error ?? 'none since the start');
    last.className = client.last_error ? 'err' : 'none';
    last.title = client.last_error ?? '';
  });
}

// ---- Asking

const listed = 100;
const askEvery = 1000;
let lastAnswer = 0;
let failures = 0;
let nextLook = 0;

// ---- The key, where the server asks for one. It is in a cookie that no script reads; here is only the way to it.

const login = byId('login');

function askForKey() {
  if (login.open) return;
  byId('login-key').value = '';
  put(byId('login-say'), '');
  login.showModal();
}

byId('login-form').addEventListener('submit', async event => {
  event.preventDefault();
  const key = byId('login-key');
  try {
    const answer = await fetch('/login', {
      method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ key: key.value.trim() }),
      signal: AbortSignal.timeout(5000),
    });
    if (!answer.ok) {
      const problem = await answer.json().catch(() => null);
      put(byId('login-say'), problem?.detail ?? `The server answered ${answer.status}.`);
      key.select();
      return;
    }
  } catch {
    put(byId('login-say'), 'The server does not answer.');
    return;
  }
  key.value = '';
  login.close();
  failures = 0;
  await look();
  if (watched) watch(watched.name);
});

// Escape does not help: without a key there is nothing to see.
login.addEventListener('cancel', event => event.preventDefault());

byId('logout').addEventListener('click', async () => {
  await fetch('/logout', { method: 'POST' }).catch(() => null);
  location.reload(); // Nothing that was shown stays.
});

async function ask(path) {
  const answer = await fetch(path, { cache: 'no-store', signal: AbortSignal.timeout(5000) });
  if (answer.ok) return answer.json();
  if (answer.status === 401 || answer.status === 403) askForKey();
  const problem = await answer.json().catch(() => null);
  throw Object.assign(new Error(problem?.detail ?? `${path} answered ${answer.status}.`), { status: answer.status });
}

function lost(error) {
  failures++;
  document.body.dataset.stale = '';
  const link = byId('link');
  if (link.dataset.link !== 'lost') link.dataset.link = 'lost';
  const isShut = error.status === 401 || error.status === 403;
  put(link, isShut ? 'locked' : 'disconnected');
  level(byId('state'), isShut ? 'warn' : 'bad');
  put(byId('state-word'), isShut ? 'A key is needed' : error.status ? 'No numbers' : 'No answer');
  const since = lastAnswer ? ` What stands below is from ${new Date(lastAnswer).toLocaleTimeString('en-GB')}.` : '';
  put(byId('state-say'), (isShut ? 'Log in to see what this server does.' : error.status ? error.message : 'The server does not answer; it may be down, or the network between.') + since);
  document.title = `${isShut ? 'Log in' : 'No answer'} – MetricStream`;
}

async function look() {
  const began = performance.now();
  clearTimeout(nextLook);
  if (!document.hidden && !login.open) {
    try {
      const after = history.time.at(-1) ?? 0;
      const [stats, news] = await Promise.all([ask(`/api/stats?clients=${listed}`), ask(`/api/stats/history?after=${after}`)]);
      lastAnswer = Date.now();
      failures = 0;
      delete document.body.dataset.stale;
      byId('link').dataset.link = 'live';
      put(byId('link'), 'live');
      if (!(news.time[0] > after)) for (const column of Object.keys(history)) history[column].length = 0;
      addHistory(news);
      showStats(stats);
    } catch (error) {
      lost(error);
    }
  }
  nextLook = setTimeout(look, Math.max(100, Math.min(5000, askEvery * (1 + failures)) - (performance.now() - began)));
}

put(byId('host'), location.host);
document.addEventListener('visibilitychange', () => { if (!document.hidden) failures = 0; });
look();

// ---- One metric, live

const mostLines = 8;
const mostRows = 100;
const live = new Chart(byId('live-chart'), [], value, null);
live.say('Pick a metric above: its last five minutes come from the store, what follows from the stream.');

let watched = null; // { name, source, lines: Map, more, from }

const lineKey = (name, tags) => name + '\n' + Object.keys(tags).sort().map(key => `${key}\n${tags[key]}`).join('\n');
const lineLabel = tags => Object.keys(tags).length ? Object.keys(tags).sort().map(key => `${key}=${tags[key]}`).join(', ') : 'no tags';

function lineOf(watch, name, tags) {
  const key = lineKey(name, tags);
  let line = watch.lines.get(key);
  if (!line && watch.lines.size < mostRows) {
    line = { key, label: lineLabel(tags), seconds: new Map(), points: 0, latest: null, latestAt: -Infinity };
    watch.lines.set(key, line);
    watch.rebuild = true;
  } else if (!line) {
    watch.more.add(key);
  }
  return line;
}

function takePoints(line, points) {
  const oldest = Math.floor(Date.now() / 1000) - window5min - 5;
  for (const [at, v] of points) {
    line.points++;
    if (at >= line.latestAt) { line.latestAt = at; line.latest = v; }
    const second = Math.floor(at / 1000);
    if (second >= oldest) line.seconds.set(second, v);
  }
}

async function watch(name) {
  watched?.source.close();
  const mine = watched = { name, source: new EventSource(`/stream?name=${encodeURIComponent(name)}`), lines: new Map(), more: new Set(), rebuild: true, dropped: 0, error: '' };
  live.say('');
  byId('live-chart').setAttribute('aria-label', `${name} over the last five minutes; the latest values are in the table below`);
  window.history.replaceState(null, '', `#${encodeURIComponent(name)}`);
  mine.source.addEventListener('sample', event => {
    const sample = JSON.parse(event.data);
    const line = lineOf(mine, sample.name, sample.tags);
    mine.dropped += sample.dropped;
    if (line) takePoints(line, sample.points);
  });
  mine.source.addEventListener('open', () => { mine.error = ''; });
  mine.source.addEventListener('error', () => { mine.error = mine.source.readyState === EventSource.CLOSED ? 'The stream was refused; pick the metric again later.' : 'The stream is interrupted; it comes back by itself.'; });
  try {
    const from = Date.now() - window5min * 1000;
    for (const series of await ask(`/api/query?name=${encodeURIComponent(name)}&from=${from}&step=1s&agg=last`)) {
      if (watched !== mine) return;
      const line = lineOf(mine, name, series.tags);
      if (!line) continue;
      const streamed = new Map(line.seconds);
      const [points, latest, latestAt] = [line.points, line.latest, line.latestAt];
      takePoints(line, series.points);
      line.points = points;
      for (const [second, v] of streamed) line.seconds.set(second, v);
      if (latestAt >= line.latestAt) { line.latest = latest; line.latestAt = latestAt; }
    }
  } catch (error) {
    if (watched === mine && error.status !== 404) mine.error = `The last five minutes could not be read: ${error.message}`;
  }
  drawLive();
}

// A value a second where there is one. Between two values lies a gap (null) only if it is long for this series; what is merely not there
// (undefined) is drawn over.
function columnOf(line, x) {
  const seconds = [...line.seconds.keys()].sort((a, b) => a - b);
  const steps = seconds.slice(1).map((second, i) => second - seconds[i]).sort((a, b) => a - b);
  const longest = Math.max(5, 3 * (steps[steps.length >> 1] ?? 0));
  let next = seconds.findIndex(second => second >= x[0]);
  return x.map(second => {
    if (line.seconds.has(second)) { next++; return line.seconds.get(second); }
    return next > 0 && next < seconds.length && seconds[next] - seconds[next - 1] <= longest ? undefined : null;
  });
}

function drawLive() {
  if (!watched) return;
  const now = Math.floor(Date.now() / 1000);
  const lines = [...watched.lines.values()].sort((a, b) => a.label.localeCompare(b.label, 'en', { numeric: true }));
  const drawn = lines.slice(0, mostLines);
  for (const line of lines)
    for (const second of line.seconds.keys()) if (second < now - window5min - 5) line.seconds.delete(second);
  const x = Array.from({ length: window5min + 1 }, (_, i) => now - window5min + i);
  live.data = [x, ...drawn.map(line => columnOf(line, x))];
  if (watched.rebuild) {
    watched.rebuild = false;
    live.series = drawn.map((line, i) => ({ label: line.label, color: `--s${i + 1}`, points: true, short: true }));
    live.build();
  }
  live.show();
  live.say(lines.length === 0 ? `Nothing of ${watched.name} in the last five minutes; what comes shows here.` : '');

  const total = lines.length + watched.more.size;
  const facts = [watched.name, total === 1 ? '1 series' : `${count(total)} series`];
  if (total > drawn.length) facts.push(`${drawn.length} of them drawn`);
  if (watched.dropped > 0) facts.push(`${count(watched.dropped)} points skipped because this browser was too slow`);
  put(byId('live-hint'), watched.error || facts.join(' · '));

  byId('live-scroll').hidden = lines.length === 0;
  const byKey = new Map(lines.map((line, i) => [line.key, [line, i]]));
  fill(byId('live'), lines.map(line => line.key), () => {
    const row = document.createElement('tr');
    const head = cell(row, 'th');
    head.append(Object.assign(document.createElement('span'), { className: 'swatch', ariaHidden: 'true' }), document.createElement('span'));
    for (let i = 0; i < 3; i++) cell(row, 'td', 'n');
    return row;
  }, (row, key) => {
    const [line, i] = byKey.get(key);
    const [swatch, label] = row.children[0].children;
    swatch.style.background = i < mostLines ? color(`--s${i + 1}`) : 'transparent';
    put(label, line.label);
    put(row.children[1], line.latestAt === -Infinity ? none : value(line.latest));
    put(row.children[2], count(line.points));
    put(row.children[3], line.latestAt === -Infinity ? none : ago(line.latestAt, Date.now()));
  });
}

setInterval(() => { if (!document.hidden) drawLive(); }, 500);

// ---- The picker: a combobox that asks the server as one types, so that ten thousand names are no matter.

const shownNames = 30;
const pick = byId('pick');
let options = [];
let active = -1;
let asked = 0;
let pause = 0;

async function search() {
  const mine = ++asked;
  try {
    const found = await ask(`/api/names?limit=${shownNames}&search=${encodeURIComponent(pick.value.trim())}`);
    if (mine !== asked) return;
    options = found.names;
    put(byId('names-note'), found.matching === 0 ? (pick.value ? 'No metric has that in its name.' : 'No metric is stored yet.')
      : found.matching > options.length ? `${count(options.length)} of ${count(found.matching)}: type more to narrow them down.`
      : found.matching === 1 ? '1 metric' : `${count(found.matching)} metrics`);
  } catch (error) {
    if (mine !== asked) return;
    options = [];
    put(byId('names-note'), error.status === 404 ? 'This server has no store to search: type the whole name and press Enter.' : error.message);
  }
  open();
}

function open() {
  active = -1;
  byId('names-list').replaceChildren(...options.map((option, i) => {
    const item = document.createElement('li');
    item.id = `name-${i}`;
    item.role = 'option';
    item.ariaSelected = 'false';
    const name = document.createElement('span');
    const series = document.createElement('span');
    name.textContent = option.name;
    series.textContent = option.series === 1 ? '1 series' : `${count(option.series)} series`;
    item.append(name, series);
    item.addEventListener('mousedown', event => { event.preventDefault(); choose(option.name); });
    return item;
  }));
  byId('names').hidden = false;
  pick.ariaExpanded = 'true';
  pick.removeAttribute('aria-activedescendant');
}

function close() {
  asked++;
  byId('names').hidden = true;
  pick.ariaExpanded = 'false';
  pick.removeAttribute('aria-activedescendant');
}

function choose(name) {
  pick.value = name;
  close();
  watch(name);
}

function step(by) {
  if (options.length === 0) return;
  const items = byId('names-list').children;
  if (active >= 0) items[active].ariaSelected = 'false';
  active = (active + by + options.length + (active < 0 && by < 0 ? 1 : 0)) % options.length;
  items[active].ariaSelected = 'true';
  items[active].scrollIntoView({ block: 'nearest' });
  pick.setAttribute('aria-activedescendant', items[active].id);
}

pick.addEventListener('input', () => { clearTimeout(pause); pause = setTimeout(search, 120); });
pick.addEventListener('focus', () => { pick.select(); search(); });
pick.addEventListener('blur', close);
pick.addEventListener('keydown', event => {
  if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
    event.preventDefault();
    if (byId('names').hidden) search();
    else step(event.key === 'ArrowDown' ? 1 : -1);
  } else if (event.key === 'Enter') {
    const name = active >= 0 ? options[active].name : pick.value.trim();
    if (name) choose(name);
  } else if (event.key === 'Escape') {
    close();
  }
});

function fromAddress() {
  const name = decodeURIComponent(location.hash.slice(1));
  if (name && name !== watched?.name && !document.getElementById(name)) { pick.value = name; watch(name); }
}

addEventListener('hashchange', fromAddress);
fromAddress();
