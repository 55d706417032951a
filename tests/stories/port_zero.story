# A proxy can hide the client's port. Port 0 and a reverse-path without angle brackets do not make a foreign client local.
client ADDR=192.0.2.66 NAME=dialup.forger.example PORT=[UNAVAILABLE]
> EHLO dialup.forger.example
< 250 *
> MAIL FROM:<boss@pass.example>
< 250 2.1.0 *
> RCPT TO:<info@local.test>
< 550 5.7.23 * (ref {brackets})
log event=recipient verdict=reject reason=spf-fail client=192.0.2.66 origin=foreign ref={brackets}
> RSET
< 250 2.0.0 *
> MAIL FROM: boss@pass.example
< 250 2.1.0 *
> RCPT TO:<info@local.test>
< 550 5.7.23 * (ref {bare})
log event=recipient verdict=reject reason=spf-fail mail_from=boss@pass.example origin=foreign ref={bare}
