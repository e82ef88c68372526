"""A small web service whose template engine has a part compiled from C."""

from flask import Flask, render_template_string
from markupsafe import _speedups

app = Flask(__name__)


@app.get("/")
def hello():
    return render_template_string("hello from {{ name }}\n", name=_speedups.__name__)
