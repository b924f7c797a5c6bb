import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routeOf } from '../src/route';

test('an address is words, also one that was mistyped', () => {
  assert.deepEqual(routeOf(''), []);
  assert.deepEqual(routeOf('#/'), []);
  assert.deepEqual(routeOf('#/sites/school%201'), ['sites', 'school 1']);
  assert.deepEqual(routeOf('#/%zz'), ['%zz']);
  assert.deepEqual(routeOf('#/sites/%E4'), ['sites', '%E4']);
});
