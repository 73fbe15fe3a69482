// Following the text as it comes: any way up lets go of the end, coming back to it holds on again.

export class Scroll {
	#sticky = true;
	#lastTop = 0;

	constructor(log, latest) {
		Object.assign(this, {log, latest});
		log.addEventListener('scroll', () => this.#scrolled(), {passive: true});
		log.addEventListener('wheel', event => {
			if (event.deltaY < 0 && log.scrollTop > 0) this.#sticky = false;
		}, {passive: true});
		latest.onclick = () => this.toEnd();
		new ResizeObserver(() => this.painted()).observe(log);
	}

	#scrolled() {
		const {scrollHeight, clientHeight, scrollTop} = this.log, left = scrollHeight - clientHeight - scrollTop;
		if (scrollTop < this.#lastTop) this.#sticky = left < 2;
		else if (left < 24) this.#sticky = true;
		this.#lastTop = scrollTop;
		this.latest.hidden = this.#sticky;
	}

	painted() {
		if (this.#sticky) this.log.scrollTop = this.log.scrollHeight;
		this.latest.hidden = this.#sticky;
	}

	toEnd() {
		this.#sticky = true;
		this.painted();
	}
}
