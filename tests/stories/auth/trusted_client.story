# A copier in trusted_networks sends without a login, in the envelope and in the header.
client ADDR=192.0.2.200 NAME=copier.local.test
> EHLO copier
< 250 *
mail copier@example.org -> info@example.org
message
    From: Copier <copier@example.org>
    Subject: scan

    Scanned.
< 250 2.0.0 *
log event=message verdict=pass origin=trusted client=192.0.2.200 mail_from=copier@example.org
delivered copier@example.org -> info@example.org
