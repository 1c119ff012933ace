"""How processes share one refinement run, and how a run survives a kill: the protocol.

1.  **Who starts.** One process does a whole run, or many share it: *ranks*, which a launcher (torchrun, srun, mpirun)
    starts together, or *shards* (``--shard 3/16``), which are started one by one and never talk to each other. Each
    of them is a :class:`~bpr.refinement.sharing.workers.Worker`. A worker has one of three roles: the *leader* (a
    single process, or the first rank) writes the result; a *follower* (any other rank) helps the leader; a *shard*
    does its part and leaves the result to ``bpr merge``.
2.  **Where the state lies.** In the folder ``.OUT.run`` next to the output ``OUT``
    (:mod:`bpr.refinement.sharing.run_folder`). All workers must see the same folder.
3.  **What run.json holds.** The first worker writes it: the fingerprint of the job (everything that decides the
    result), the fields of the job (all that a merge needs to know), and a random token, by which a rank notices that
    it sees another disk than the leader. The file does not change after that.
4.  **Who may join.** The leader locks the folder for itself; shards lock it together. If run.json is there already,
    the worker's fingerprint must equal the one in it, and a leader continues only with ``--resume``. A shard needs
    ``--resume`` only if its own journal is there. A launcher may restart its ranks at any time, so ranks always
    resume. Followers neither lock nor check: the leader did both.
5.  **How ranks meet.** The leader reads all journals and announces the token and which images are finished; the
    followers wait for this announcement in the key-value store of torch.distributed
    (:class:`~bpr.refinement.sharing.ranks.Rank`). No masks and no tensors go through the store.
6.  **Who does which image.** A shard does consecutive images that cost about 1/N of the whole. Ranks take chunks of
    consecutive images from one common counter whenever they are free; chunks shrink towards the end, so that all ranks
    end at about the same time. Images that are finished already are skipped.
7.  **Where finished images are.** Every worker appends to a journal of its own, ``shard-I-of-N.journal`` or
    ``rank-I-of-N.journal`` (:mod:`bpr.refinement.sharing.journal`).
8.  **What a kill costs.** The images in flight: a killed process leaves at most one torn block at the end of its
    journal, and a resumed run does the images without an intact block again. The operating system releases the locks
    of a dead process. The first SIGINT or SIGTERM only stops the run from starting more images
    (:class:`~bpr.refinement.sharing.stopping.Stop`).
9.  **What a dead rank costs.** No more than that: a launcher restarts or ends all ranks when one dies. When all ranks
    have reported that they are done, the leader reads all journals and does the images that none of them holds.
10. **Who merges.** The leader, or ``bpr merge`` after the last shard: it locks the folder for itself, checks that every
    image is finished, reads the input again record by record, replaces the changed keys, and writes the output as one
    atomic file or folder. Then the run folder is deleted. On a CPU the output has the same bytes
    whoever did which image.
"""
