// quick.test.mjs: the tests of the report that need no browser, as one stream of TAP.
import './built.test.mjs';
import './drawing.test.mjs';
import './hostile.test.mjs';
import './text.test.mjs';
import './words.test.mjs';
