# Of several recipients, each is told for its own domain. Whoever can be reached gets the message once, whatever case his
# address is written in.
client ADDR=192.0.2.10 NAME=mail.pass.example
> EHLO mail.pass.example
< 250 *
> MAIL FROM:<alice@fail.example>
< 250 2.1.0 *
> RCPT TO:<Nobody@Strict.Test>
< 250 2.1.5 *
> RCPT TO:<nobody@allow.test>
< 250 2.1.5 *
message
    From: alice@fail.example
    Subject: several

    Several.
< 250 2.0.0 *
log event=message verdict=pass spf=mailfrom:fail*
delivered  -> alice@fail.example
> MAIL FROM:<alice@fail.example>
< 250 2.1.0 *
> RCPT TO:<Info@Strict.Test>
< 250 2.1.5 *
message
    From: alice@fail.example
    Subject: once

    Once.
< 250 2.0.0 *
log event=message verdict=pass spf=mailfrom:fail*
delivered alice@fail.example -> Info@Strict.Test
> MAIL FROM:<alice@fail.example>
< 250 2.1.0 *
> RCPT TO:<"Quoted Name"@strict.test>
< 250 2.1.5 *
> RCPT TO:<info@disabled.test>
< 250 2.1.5 *
> RCPT TO:<info@disabled.test>
< 250 2.1.5 *
message
    From: alice@fail.example
    Subject: once each

    Once each.
< 250 2.0.0 *
log event=message verdict=pass spf=mailfrom:fail*
delivered alice@fail.example -> info@disabled.test, "Quoted Name"@strict.test
