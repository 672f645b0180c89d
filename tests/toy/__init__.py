"""Small stores, studies and runs that tests share; no test stands here."""
