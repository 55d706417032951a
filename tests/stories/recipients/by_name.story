# reject.test has a file with names and a wildcard, and the wildcard is worth nothing there.
client ADDR=192.0.2.10 NAME=mail.pass.example
> EHLO mail.pass.example
< 250 *
> MAIL FROM:<alice@pass.example>
< 250 2.1.0 *
> RCPT TO:<nobody@reject.test>
< 550 5.1.1 *No such recipient here (ref {nobody})
log event=recipient verdict=reject check=recipients reason=recipient-wildcard rcpt_to=nobody@reject.test ref={nobody}
> RCPT TO:<nobody@listed.test>
< 550 5.1.1 *No such recipient here (ref {unlisted})
log event=recipient verdict=reject check=recipients reason=recipient-unknown rcpt_to=nobody@listed.test ref={unlisted}
> RCPT TO:<INFO@reject.test>
< 250 2.1.5 *
> RCPT TO:<info+news@reject.test>
< 250 2.1.5 *
> RCPT TO:<info@follower.test>
< 250 2.1.5 *
> RCPT TO:<none@follower.test>
< 550 5.1.1 *
log event=recipient verdict=reject check=recipients reason=recipient-wildcard rcpt_to=none@follower.test
> RCPT TO:<postmaster@reject.test>
< 250 2.1.5 *
> RCPT TO:<abuse@listed.test>
< 250 2.1.5 *
> RCPT TO:<SRS0=HHH=TT=example.com=bob@listed.test>
< 250 2.1.5 *
> RCPT TO:<SRS0=HHH=TT=example.com=bob@reject.test>
< 550 5.1.1 *
log event=recipient verdict=reject check=recipients reason=recipient-wildcard
> RCPT TO:<prvs=2987abcdef=info@listed.test>
< 250 2.1.5 *
> RCPT TO:<prvs=2987abcdef=nobody@listed.test>
< 550 5.1.1 *
log event=recipient verdict=reject reason=recipient-unknown
message
    From: alice@pass.example
    Subject: names

    Names.
< 250 2.0.0 *
log event=message verdict=pass
delivered alice@pass.example -> *

# Nothing of it is left for the next message: the same names are judged again.
> MAIL FROM:<>
< 250 2.1.0 *
> RCPT TO:<nobody@listed.test>
< 550 5.1.1 *
log event=recipient verdict=reject reason=recipient-unknown mail_from=<>
> RCPT TO:<info@listed.test>
< 250 2.1.5 *
message
    From: mailer-daemon@pass.example
    Subject: bounce

    Bounce.
< 250 2.0.0 *
log event=message verdict=pass rcpt_to=info@listed.test
delivered -> info@listed.test
