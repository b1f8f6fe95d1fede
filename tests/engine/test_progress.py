"""Progress is told part by part, also where several threads do the work."""

from concurrent.futures import ThreadPoolExecutor

from anncestry.engine.progress import Counter


def test_parts_are_counted():
    told = []
    counter = Counter(lambda done, total: told.append((done, total)), 5)
    counter.add()
    counter.add(0)
    counter.add(4)
    assert told == [(1, 5), (5, 5)]


def test_nobody_need_listen():
    counter = Counter(None, 2)
    counter.add(2)
    assert counter.total == 2


def test_threads_do_not_lose_count():
    told = []
    counter = Counter(lambda done, total: told.append(done), 400)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: counter.add(), range(400)))
    assert told == list(range(1, 401))
