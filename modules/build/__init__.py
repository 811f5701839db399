"""Makes a module's program (one file) or its container image (an archive) out of what this machine has.

Nothing is downloaded: the image's system is this Debian's Python with the libraries that it needs, its packages are
those of the environment that runs the build.
"""

from modules.build.content import Content, module_content
from modules.build.image import write_image
from modules.build.program import write_program
from modules.build.system import system_content

__all__ = ["Content", "module_content", "system_content", "write_image", "write_program"]
