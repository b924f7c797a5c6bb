import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageReader } from '../src/feed';

const STREAM = 'retry: 1000\nid: 41\n\nid: 42\nevent: closed\ndata: {"seq":42}\n\n: ping\n\nevent: x\ndata: {"seq":0}\n\nid: 43\n\n';
const MESSAGES = [
  { id: '41', data: '' }, { id: '42', data: '{"seq":42}' }, { id: null, data: '{"seq":0}' }, { id: '43', data: '' },
];

test('messages are found wherever the network cuts the stream', () => {
  for (let cut = 0; cut <= STREAM.length; cut++) {
    const reader = new MessageReader();
    assert.deepEqual([...reader.push(STREAM.slice(0, cut)), ...reader.push(STREAM.slice(cut))], MESSAGES, `cut at ${cut}`);
  }
});

test('byte by byte, with any line end', () => {
  for (const end of ['\n', '\r\n', '\r']) {
    const reader = new MessageReader();
    const heard = [...STREAM.replaceAll('\n', end), ' '].flatMap((character) => reader.push(character));
    assert.deepEqual(heard, MESSAGES, JSON.stringify(end));
  }
});
