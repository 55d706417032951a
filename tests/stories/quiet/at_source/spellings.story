# The same recipient in forms that Postfix takes for others when it is told to change him: he gets the message once.
client ADDR=192.0.2.10 NAME=mail.pass.example
> EHLO mail.pass.example
< 250 *
> MAIL FROM:<alice@fail.example>
< 250 2.1.0 *
> RCPT TO:<@relay.example:Info@Strict.test>
< 250 2.1.5 *
message
    From: alice@fail.example
    Subject: once

    Once.
< 250 2.0.0 *
log event=message verdict=pass spf=mailfrom:fail*
delivered alice@fail.example -> Info@Strict.test
> MAIL FROM:<alice@fail.example>
< 250 2.1.0 *
> RCPT TO:<"Info"@Strict.test>
< 250 2.1.5 *
message
    From: alice@fail.example
    Subject: once

    Once.
< 250 2.0.0 *
log event=message verdict=pass spf=mailfrom:fail*
delivered alice@fail.example -> Info@Strict.test
> MAIL FROM:<alice@fail.example>
< 250 2.1.0 *
> RCPT TO:<Info@Strict.test.>
< 250 2.1.5 *
message
    From: alice@fail.example
    Subject: once

    Once.
< 250 2.0.0 *
log event=message verdict=pass spf=mailfrom:fail*
delivered alice@fail.example -> Info@Strict.test
> MAIL FROM:<alice@fail.example>
< 250 2.1.0 *
> RCPT TO:<Info(comment)@Strict.test>
< 250 2.1.5 *
message
    From: alice@fail.example
    Subject: once

    Once.
< 250 2.0.0 *
log event=message verdict=pass spf=mailfrom:fail*
delivered alice@fail.example -> Info@Strict.test
> MAIL FROM:<alice@fail.example>
< 250 2.1.0 *
> RCPT TO:< Info@Strict.test >
< 250 2.1.5 *
message
    From: alice@fail.example
    Subject: once

    Once.
< 250 2.0.0 *
log event=message verdict=pass spf=mailfrom:fail*
delivered alice@fail.example -> Info@Strict.test
> MAIL FROM:<alice@fail.example>
< 250 2.1.0 *
> RCPT TO:Info@Strict.test
< 250 2.1.5 *
message
    From: alice@fail.example
    Subject: once

    Once.
< 250 2.0.0 *
log event=message verdict=pass spf=mailfrom:fail*
delivered alice@fail.example -> Info@Strict.test
> MAIL FROM:<alice@fail.example>
< 250 2.1.0 *
> RCPT TO:<"In fo"@strict.test>
< 250 2.1.5 *
message
    From: alice@fail.example
    Subject: once

    Once.
< 250 2.0.0 *
log event=message verdict=pass spf=mailfrom:fail*
delivered alice@fail.example -> "In fo"@strict.test
> MAIL FROM:<alice@fail.example>
< 250 2.1.0 *
> RCPT TO:<strict.test!Info>
< 250 2.1.5 *
message
    From: alice@fail.example
    Subject: once

    Once.
< 250 2.0.0 *
log event=message verdict=pass spf=mailfrom:fail*
delivered alice@fail.example -> Info@strict.test
