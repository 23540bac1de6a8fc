"""The templates and the look of every page that the kit writes."""

from maam_lib.pages.look import page
