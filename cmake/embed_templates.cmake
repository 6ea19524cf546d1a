# Writes the device code of templates/ into a C++ source, so that the library needs no files at run time.
# cmake -D OUTPUT=file.cpp -D TEMPLATES=dir -P embed_templates.cmake
file(GLOB_RECURSE names RELATIVE ${TEMPLATES} ${TEMPLATES}/*.cuh)
list(SORT names)
set(entries "")
foreach(name IN LISTS names)
  file(READ ${TEMPLATES}/${name} text)
  string(APPEND entries "    {\"${name}\", R\"__cuda__(${text})__cuda__\"},\n")
endforeach()
file(WRITE ${OUTPUT}.new "#include \"codegen/templates.hpp\"

namespace flashbias::codegen {

const std::map<std::string_view, std::string_view>& embedded_templates() {
  static const std::map<std::string_view, std::string_view> templates = {
${entries}  };
  return templates;
}

}  // namespace flashbias::codegen
")
execute_process(COMMAND ${CMAKE_COMMAND} -E copy_if_different ${OUTPUT}.new ${OUTPUT})
file(REMOVE ${OUTPUT}.new)
