// A line client of Node's `ws`, the twin of peers/client.py:
// client.js [--count N] [--subprotocol NAME] [--ca FILE] [--auth U:P] [--deflate] URL
'use strict';
const fs = require('fs');
const WebSocket = require('ws');

const wants = {};
for (let i = 2; i < process.argv.length; i++) {
  const argument = process.argv[i];
  if (!argument.startsWith('--')) wants.url = argument;
  else wants[argument.slice(2)] = argument === '--deflate' ? true : process.argv[++i];
}

const ws = new WebSocket(wants.url, wants.subprotocol ? [wants.subprotocol] : [], {
  ca: wants.ca && fs.readFileSync(wants.ca),
  auth: wants.auth,
  maxPayload: 0,
  perMessageDeflate: wants.deflate ? { threshold: 0 } : false,
});
let received = 0;
ws.on('unexpected-response', (request, response) => {
  console.error(`refused ${response.statusCode}`);
  process.exit(0);
});
ws.on('open', () => {
  if (wants.subprotocol) console.error(`subprotocol ${ws.protocol}`);
  if (wants.deflate) console.error(`extensions ${ws.extensions || 'none'}`);
  const text = fs.readFileSync(0, 'utf8');
  for (const line of text.split('\n').slice(0, -1)) ws.send(line);
});
ws.on('message', (message) => {
  process.stdout.write(Buffer.concat([message, Buffer.from('\n')]));
  received += 1;
  if (received === Number(wants.count)) ws.close(1000);
});
ws.on('close', (code, reason) => console.error(`closed ${code} ${reason}`));
