// A WebSocket server of Node's `ws` for the tests: server.js [--deflate none|default|PARAMETERS]
//
// The twin of peers/server.py: it prints its port, ends when its standard input does, and does the same at each path.
'use strict';
const http = require('http');
const { WebSocketServer } = require('ws');

const credentials = 'Basic ' + Buffer.from('user:secret').toString('base64');

const handlers = {
  echo(ws) {
    ws.on('message', (message, isBinary) => ws.send(message, { binary: isBinary }));
  },
  close(ws, query) {
    ws.close(Number(query.get('code') ?? 1000), query.get('reason') ?? '');
  },
  drop(ws) {
    ws.send('last words', () => ws._socket.destroy());
  },
  subprotocol(ws) {
    ws.send(ws.protocol || 'none');
    ws.close(1000);
  },
  negotiated(ws, query, request) {
    ws.send(request.negotiated ?? 'none');
    ws.close(1000);
  },
  headers(ws, query, request) {
    const raw = request.rawHeaders;
    const pairs = [];
    for (let i = 0; i < raw.length; i += 2) pairs.push([raw[i].toLowerCase(), raw[i + 1]]);
    ws.send(JSON.stringify(pairs));
    ws.close(1000);
  },
  async firehose(ws, query) {
    const text = '0123456789abcdef'.repeat(Number(query.get('size') ?? 16) / 16);
    const message = query.get('binary') ? Buffer.from(text) : text;
    for (let i = 0; i < Number(query.get('count')) && ws.readyState === ws.OPEN; i++) {
      // Waits now and then, so that the event loop turns and what is buffered stays small.
      if (i % 1000 === 999) await new Promise((done) => ws.send(message, () => setImmediate(done)));
      else ws.send(message);
    }
    ws.close(1000);
  },
  async slow(ws, query) {
    for (let i = 0; i < Number(query.get('count')); i++) {
      ws.send(`slow ${i}`);
      await new Promise((done) => setTimeout(done, Number(query.get('ms'))));
    }
    ws.close(1000);
  },
  async ping(ws, query) {
    for (let i = 0; i < Number(query.get('count')); i++) {
      const answered = new Promise((done) => ws.once('pong', done));
      ws.ping(`ping ${i}`);
      const payload = await answered;
      ws.send(payload.toString().replace('ping', 'pong'));
    }
    ws.close(1000);
  },
  fragments(ws) {
    const words = ['one ', 'message ', 'in ', 'five ', 'fragments'];
    words.forEach((word, i) => ws.send(word, { fin: i === words.length - 1 }));
    ws.close(1000);
  },
  data(ws, query) {
    ws.send(Buffer.from(query.get('hex'), 'hex'));
    ws.close(1000);
  },
};

function deflate(text) {
  if (text === 'none') return false;
  const names = {
    server_no_context_takeover: 'serverNoContextTakeover',
    client_no_context_takeover: 'clientNoContextTakeover',
    server_max_window_bits: 'serverMaxWindowBits',
    client_max_window_bits: 'clientMaxWindowBits',
  };
  const options = { threshold: 0 };
  for (const parameter of text.replace('default', '').split(';').filter((part) => part.trim())) {
    const [name, value] = parameter.trim().split('=');
    options[names[name]] = value === undefined ? true : Number(value);
  }
  return options;
}

const flag = process.argv.indexOf('--deflate');
const wss = new WebSocketServer({
  noServer: true,
  maxPayload: 0,
  perMessageDeflate: deflate(flag < 0 ? 'none' : process.argv[flag + 1]),
  handleProtocols: (offered) => ['chat.v2', 'chat.v1'].find((name) => offered.has(name)) ?? false,
});
wss.on('headers', (lines, request) => {
  const found = lines.find((line) => line.toLowerCase().startsWith('sec-websocket-extensions:'));
  request.negotiated = found?.split(': ')[1];
});

function refuse(socket, status, headers, body) {
  socket.end(`HTTP/1.1 ${status}\r\n${headers}Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
}

const server = http.createServer();
server.on('upgrade', (request, socket, head) => {
  const url = new URL(request.url, 'http://localhost');
  const handler = handlers[url.pathname.replace('/private', '').slice(1)];
  if (url.pathname.startsWith('/private') && request.headers.authorization !== credentials) {
    refuse(socket, '401 Unauthorized', 'WWW-Authenticate: Basic realm="tests"\r\n', 'members only\n');
  } else if (!handler) {
    refuse(socket, '404 Not Found', '', 'no such path\n');
  } else {
    wss.handleUpgrade(request, socket, head, (ws) => {
      ws.on('error', () => {});
      handler(ws, url.searchParams, request);
    });
  }
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.resume().on('end', () => process.exit(0));
