# The null reverse-path is judged by HELO: accepted from the host itself and, by default, from one that claims its name.
client ADDR=192.0.2.10 NAME=mail.pass.example
> EHLO mail.pass.example
< 250 *
> MAIL FROM:<>
< 250 2.1.0 *
> RCPT TO:<info@local.test>
< 250 2.1.5 *
message
    From: MAILER-DAEMON@pass.example
    Subject: returned mail

    Returned.
< 250 2.0.0 *
log event=message verdict=pass spf=*pass*
delivered  -> info@local.test
    Authentication-Results: mx.local.test; *spf=pass*smtp.helo=mail.pass.example*
    Received: *
    From: MAILER-DAEMON@pass.example
    Subject: returned mail

    Returned.

# This domain refuses a HELO that fails.
client ADDR=192.0.2.66 NAME=dialup.forger.example
> EHLO mail.pass.example
< 250 *
> MAIL FROM:<>
< 250 2.1.0 *
> RCPT TO:<info@strict.test>
< 550 5.7.23 * (ref {ref})
log event=recipient verdict=reject check=spf helo=mail.pass.example rcpt_to=info@strict.test ref={ref}
