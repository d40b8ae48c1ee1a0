"""gunicorn -c gunicorn.conf.py shop:app"""

bind = "127.0.0.1:8000"
workers = 2
worker_class = "gthread"
threads = 8  # a duplicate that waits holds a thread: at most a quarter of them do
preload_app = True  # safe: every worker opens the store for itself
timeout = 60  # longer than `lease` (30 s): a worker that is killed here is surely dead
graceful_timeout = 30  # views that run are awaited, and their outcome is recorded
forwarded_allow_ips = ""  # seeother reads X-Forwarded-* itself, as far as `proxy_hops` says
