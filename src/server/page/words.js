// What a code or a status means, for people. The server's own message stands below it.

const PLAIN_WORDS = {
	400: 'The server does not understand this question.',
	401: 'This server asks for a key.',
	403: 'That is not allowed here.',
	404: 'The server does not know this model.',
	413: 'The chat has become too long for this server.',
	429: 'Too many requests at the moment.',
	502: 'The model’s server gave no answer.',
	503: 'The server cannot take more questions right now.',
	504: 'The model took too long to begin.',
	client_gone: 'Nobody was watching for too long, so the answer was given up.',
	model_not_found: 'The server does not know this model.',
	page_offline: 'The server cannot be reached.',
	rate_limit_exceeded: 'Too many requests at the moment.',
	shutting_down: 'The server is shutting down.',
	stream_not_found: 'The server does not keep this answer any longer.',
	too_many_answers: 'Too many answers are coming already.',
	too_many_streams: 'The server cannot take more questions right now.',
	upstream_auth: 'The model’s server refuses the key of this proxy.',
	upstream_bad_frame: 'The model’s server sent something that is no answer.',
	upstream_closed: 'The model’s server hung up without an answer.',
	upstream_incomplete: 'The answer broke off before its end.',
	upstream_timeout: 'The model took too long.',
	upstream_tls: 'The model’s server could not prove who it is.',
	upstream_unreachable: 'The model’s server cannot be reached.',
};

export const plainly = ({code, status}) =>
	PLAIN_WORDS[code] || PLAIN_WORDS[status] || 'Something went wrong.';
