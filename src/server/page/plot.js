// The time between tokens, over the time of an answer. Chart.js draws it; a plot is there only while it can be seen.

import {make} from './dom.js';

const MOST = 400; // points; then pairs become one, with the longer gap

let library = null; // loaded with the first plot
const load = () => library = library || import('/page/chartjs.js').then(() => globalThis.Chart);

const dark = matchMedia('(prefers-color-scheme: dark)');
const visible = new IntersectionObserver(entries => {
	for (const {target, isIntersecting} of entries) target.plot.show(isIntersecting);
}, {rootMargin: '200px'});

const milliseconds = y => y < 1000 ? `${Math.round(y)} ms` : `${(y / 1000).toFixed(1)} s`;

function settings(points) {
	const style = getComputedStyle(document.documentElement), color = name => style.getPropertyValue(name).trim();
	const axis = {border: {display: false}, grid: {drawBorder: false, color: color('--line')}};
	const ticks = {color: color('--dim'), font: {size: 10}, maxRotation: 0, padding: 4};
	return {
		type: 'line',
		data: {datasets: [{
			data: points, parsing: false, borderColor: color('--accent'), backgroundColor: color('--ring'), fill: 'origin',
			borderWidth: 1.25, stepped: 'after', pointRadius: 0, pointHitRadius: 12,
		}]},
		options: {
			animation: false, responsive: true, maintainAspectRatio: false, normalized: true,
			interaction: {mode: 'nearest', axis: 'x', intersect: false},
			scales: {
				x: {type: 'linear', ...axis, grid: {display: false, drawBorder: false},
					ticks: {...ticks, maxTicksLimit: 6, includeBounds: false, callback: x => `${x} s`}},
				y: {beginAtZero: true, suggestedMax: 20, ...axis,
					ticks: {...ticks, maxTicksLimit: 3, callback: milliseconds}},
			},
			plugins: {legend: {display: false}, tooltip: {
				displayColors: false, animation: false, caretSize: 0, padding: 6, titleFont: {size: 11}, bodyFont: {size: 11},
				callbacks: {title: ([{parsed}]) => `${parsed.x.toFixed(2)} s`, label: ({parsed}) => milliseconds(parsed.y)},
			}},
		},
	};
}

// gaps: [ms since the first token, ms since the one before], in their order.
export function addGap(gaps, at, gap) {
	gaps.push([Math.round(at), Math.round(gap)]);
	if (gaps.length <= MOST) return;
	const half = [];
	for (let i = 0; i < gaps.length; i += 2) {
		const [a, b = a] = gaps.slice(i, i + 2);
		half.push(b[1] > a[1] ? b : a);
	}
	gaps.splice(0, Infinity, ...half);
}

export class Plot {
	#chart = null;
	#seen = false;

	constructor(parent, gaps) {
		this.element = make(parent, 'div', 'plot');
		this.element.setAttribute('role', 'img');
		this.element.plot = this;
		this.gaps = gaps;
		visible.observe(this.element);
		this.#describe();
	}

	paint() {
		this.#describe();
		if (!this.#chart) return;
		this.#chart.data.datasets[0].data = this.#points();
		this.#chart.update('none');
	}

	#points() {
		return this.gaps.map(([at, gap]) => ({x: at / 1000, y: gap}));
	}

	#describe() {
		const sorted = this.gaps.map(([, gap]) => gap).sort((a, b) => a - b);
		const [middle, longest] = [sorted[sorted.length >> 1] || 0, sorted.at(-1) || 0];
		this.element.setAttribute('aria-label',
			`Time between tokens: mostly ${milliseconds(middle)}, at most ${milliseconds(longest)}`);
	}

	async show(seen) {
		this.#seen = seen;
		if (!seen) {
			this.#chart?.destroy();
			this.#chart = null;
			return this.element.replaceChildren();
		}
		const Chart = await load().catch(() => null);
		if (!Chart || !this.#seen || this.#chart) return;
		this.#chart = new Chart(make(this.element, 'canvas', ''), settings(this.#points()));
	}

	renew() {
		this.show(false);
		this.show(true);
	}

	remove() {
		visible.unobserve(this.element);
		this.show(false);
	}
}

dark.addEventListener('change', () => {
	for (const {plot} of document.querySelectorAll('.plot')) if (plot.element.firstChild) plot.renew();
});
