"""llama.cpp beside us: run by an interpreter that has llama-cpp-python, it measures once for each line read.

Needs nothing of this project: ``python llama_cpp_peer.py MODEL.gguf THREADS PROMPT_TOKENS ANSWER_TOKENS``.
Each answer is one JSON line: seconds of the prompt and of the answer, by the clock and of processor time.
With ``plain`` behind, weights stay as they are in the file, where rearranging them crashes llama.cpp.
"""

import json
import sys
import time

import llama_cpp


def keep_weights_plain() -> None:
    """Models that are made from now on use no buffers of a processor's own layout."""
    usual = llama_cpp.llama_cpp.llama_model_default_params

    def plain() -> object:
        parameters = usual()
        parameters.use_extra_bufts = False
        return parameters

    llama_cpp.llama_cpp.llama_model_default_params = plain


def main() -> None:
    """Load, say that all is ready, then measure once a line."""
    path, threads, prompt, answer = sys.argv[1], *map(int, sys.argv[2:5])
    if "plain" in sys.argv[5:]:
        keep_weights_plain()
    model = llama_cpp.Llama(
        path, n_ctx=prompt + answer + 8, n_threads=threads, n_threads_batch=threads, verbose=False
    )
    ids = model.tokenize(b"A cat sits on the roof of a house and looks at the birds in the garden. ")
    ids = (ids * (prompt // len(ids) + 1))[:prompt]
    print("ready", flush=True)
    for _ in sys.stdin:
        model.reset()
        marks = [(time.perf_counter(), time.process_time())]
        model.eval(ids)
        token = model.sample(temp=0.0)
        marks.append((time.perf_counter(), time.process_time()))
        for _ in range(answer):  # through any end mark: each token costs the same
            model.eval([token])
            token = model.sample(temp=0.0)
        marks.append((time.perf_counter(), time.process_time()))
        (a, b, c) = marks
        found = {
            "first_s": b[0] - a[0],
            "first_cpu_s": b[1] - a[1],
            "rest_s": c[0] - b[0],
            "rest_cpu_s": c[1] - b[1],
        }
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
