# Nothing of a transaction shows in the next one, however it ended.
client ADDR=192.0.2.10 NAME=mail.pass.example
> EHLO mail.pass.example
< 250 *

# Refused, then reset after MAIL and RCPT.
> MAIL FROM:<first@elsewhere.example>
< 250 2.1.0 *
> RCPT TO:<first@local.test>
< 550 5.7.23 * (ref {first})
log event=recipient verdict=reject reason=spf-fail mail_from=first@elsewhere.example rcpt_to=first@local.test ref={first}
> RSET
< 250 2.0.0 *

# Reset after MAIL alone, and after an accepted recipient.
> MAIL FROM:<second@elsewhere.example>
< 250 2.1.0 *
> RSET
< 250 2.0.0 *
> MAIL FROM:<third@pass.example>
< 250 2.1.0 *
> RCPT TO:<third@local.test>
< 250 2.1.5 *
> RSET
< 250 2.0.0 *

# A whole message.
> MAIL FROM:<fourth@pass.example>
< 250 2.1.0 *
> RCPT TO:<fourth@local.test>
< 250 2.1.5 *
message
    Authentication-Results: mx.local.test; spf=pass smtp.mailfrom=forged.example
    From: fourth@pass.example
    Subject: fourth

    Fourth.
< 250 2.0.0 *
log event=message verdict=pass mail_from=fourth@pass.example rcpt_to=fourth@local.test spf=*pass*
delivered fourth@pass.example -> fourth@local.test
    Authentication-Results: mx.local.test; *spf=pass smtp.mailfrom=pass.example; *
    Received: *
    From: fourth@pass.example
    Subject: fourth

    Fourth.

# HELO in mid-transaction: the refused domain was named before it, and is forgotten after it.
> MAIL FROM:<fifth@elsewhere.example>
< 250 2.1.0 *
> EHLO other.pass.example
< 250 *
> RCPT TO:<fifth@local.test>
< 503 5.5.1 *
> MAIL FROM:<sixth@softfail.example>
< 250 2.1.0 *
> RCPT TO:<sixth@local.test>
< 250 2.1.5 *
message
    From: sixth@softfail.example
    Subject: sixth

    Sixth.
< 250 2.0.0 *
log event=message verdict=pass helo=other.pass.example mail_from=sixth@softfail.example rcpt_to=sixth@local.test
delivered sixth@softfail.example -> sixth@local.test
    Authentication-Results: mx.local.test; *spf=pass smtp.mailfrom=softfail.example; *
    Received: *
    From: sixth@softfail.example
    Subject: sixth

    Sixth.

# And after a message the next one is refused on its own account.
> MAIL FROM:<seventh@elsewhere.example>
< 250 2.1.0 *
> RCPT TO:<seventh@local.test>
< 550 5.7.23 * (ref {seventh})
log event=recipient verdict=reject helo=other.pass.example mail_from=seventh@elsewhere.example rcpt_to=seventh@local.test ref={seventh}
> QUIT
< 221 2.0.0 *
