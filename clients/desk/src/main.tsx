import { render } from 'preact';
import { Desk } from './desk';
import { Page } from './views/page';
import './style.css';

const desk = new Desk();
const root = document.getElementById('page');
if (root) render(<Page desk={desk} />, root);
void desk.resume();
