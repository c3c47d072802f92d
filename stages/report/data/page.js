// What a page can do more with JavaScript: light or dark by choice, tooltips, sorted tables.
// Everything that the page says is there without it.
(function () {
  'use strict';
  var root = document.documentElement;

  var theme = document.querySelector('.theme');
  if (theme) {
    theme.hidden = false;
    theme.addEventListener('click', function () {
      var system = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
      root.dataset.theme = (root.dataset.theme || system) === 'dark' ? 'light' : 'dark';
    });
  }

  // tooltips: the texts of <title>, shown at once and beside the pointer
  var tip = document.createElement('div');
  tip.id = 'tip';
  tip.hidden = true;
  tip.setAttribute('aria-hidden', 'true');
  document.body.appendChild(tip);
  var texts = new Map();
  document.querySelectorAll('svg.chart title').forEach(function (title) {
    texts.set(title.parentNode, title.textContent);
    title.remove();
  });
  function place(event) {
    var text = texts.get(event.target);
    tip.hidden = !text;
    if (!text) return;
    tip.textContent = text;
    var left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
    var top = event.clientY + 18;
    if (top + tip.offsetHeight > innerHeight - 8) top = event.clientY - tip.offsetHeight - 12;
    tip.style.left = Math.max(8, left) + 'px';
    tip.style.top = Math.max(8, top) + 'px';
  }
  document.addEventListener('pointermove', place);
  document.addEventListener('pointerdown', place);
  document.addEventListener('pointerleave', function () { tip.hidden = true; });
  document.addEventListener('scroll', function () { tip.hidden = true; }, { passive: true });

  // tables: a click on a heading sorts
  function value(row, column) {
    var text = row.cells[column].textContent.trim();
    var number = parseFloat(text.replace(/,/g, '').replace('−', '-'));
    return text.charAt(0) === '<' || text === '–' || isNaN(number) ? null : number;
  }
  document.querySelectorAll('details table').forEach(function (table) {
    var body = table.tBodies[0];
    var rows = Array.from(body.rows);
    Array.from(table.tHead.rows[0].cells).forEach(function (head, column) {
      var button = document.createElement('button');
      button.type = 'button';
      while (head.firstChild) button.appendChild(head.firstChild);
      head.appendChild(button);
      button.addEventListener('click', function () {
        var down = head.getAttribute('aria-sort') !== 'descending' && column > 0 || head.getAttribute('aria-sort') === 'ascending';
        Array.from(head.parentNode.cells).forEach(function (cell) { cell.removeAttribute('aria-sort'); });
        head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
        var sorted = rows.slice();
        if (column > 0) {
          sorted.sort(function (a, b) {
            var x = value(a, column), y = value(b, column);
            if (x === null || y === null) return (x === null) - (y === null);
            return down ? y - x : x - y;
          });
        } else if (down) {
          sorted.reverse();
        }
        sorted.forEach(function (row) { body.appendChild(row); });
      });
    });
  });
})();
