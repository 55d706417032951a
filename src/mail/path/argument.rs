//! The argument of MAIL or RCPT, and the address in it.

/// The argument of RCPT as MTAs keep it: in angle brackets, and without a source route. None for what has other brackets,
/// or nothing in them.
pub fn unrouted(argument: &str) -> Option<String> {
    let address = inner_address(argument);
    let is_plain = !address.is_empty() && outside_quotes(address, |c| matches!(c, '<' | '>')).is_none();
    is_plain.then(|| format!("<{address}>"))
}

/// The address inside a MAIL or RCPT argument: without angle brackets, source route and parameters.
pub(super) fn inner_address(argument: &str) -> &str {
    // White space beyond ASCII is part of an address, as far as MTAs are concerned.
    let argument = argument.trim_ascii();
    let address = match argument.strip_prefix('<') {
        Some(rest) => match outside_quotes(rest, |c| c == '>').map(|at| rest.split_at(at)) {
            Some((address, tail)) if is_parameters(&tail[1..]) => address,
            Some(_) => argument,
            None => rest,
        },
        None => outside_quotes(argument, |c| c == ' ').map_or(argument, |at| &argument[..at]),
    };
    without_route(address.trim_ascii())
}

/// Whether the rest behind a path can be ESMTP parameters, which Sendmail before 8.17.2 glues to it, or is nothing.
/// Another address there might be the one that the MTA means.
fn is_parameters(tail: &str) -> bool {
    tail.starts_with([' ', '\t']) || !tail.contains(['<', '>', '@', '"', '('])
}

/// The address without its source route, which must be ignored (RFC 5321, 4.1.1.3 and appendix C).
fn without_route(address: &str) -> &str {
    let Some(route) = address.strip_prefix('@') else { return address };
    // A colon in an address literal, `@[IPv6:2001:db8::1]:user@example.org`, does not end the route.
    let mut in_literal = false;
    let end = route.find(|c| {
        in_literal = c == '[' || (in_literal && c != ']');
        c == ':' && !in_literal
    });
    end.map_or(address, |at| &route[at + 1..])
}

/// Where the first such character outside a quoted-string stands.
fn outside_quotes(text: &str, wanted: impl Fn(char) -> bool) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    text.char_indices().find_map(|(at, c)| {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            c if !quoted && wanted(c) => return Some(at),
            _ => {}
        }
        None
    })
}
