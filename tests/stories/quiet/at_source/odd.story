# What looks like no address at all is left alone.
client ADDR=192.0.2.10 NAME=mail.pass.example
> EHLO mail.pass.example
< 250 *
> MAIL FROM:<alice@fail.example>
< 250 2.1.0 *
> RCPT TO:<<Info@Strict.test>>
< 250 2.1.5 *
message
    From: alice@fail.example
    Subject: odd

    Odd.
< 250 2.0.0 *
log event=message verdict=pass spf=mailfrom:fail*
delivered alice@fail.example -> Info@Strict.test
