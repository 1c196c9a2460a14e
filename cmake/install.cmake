file(RELATIVE_PATH prefix_from_pc ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" prefix_from_pc "${prefix_from_pc}")
configure_file(cmake/pond.pc.in pond.pc @ONLY)

install(TARGETS pond_shared pond_static LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/pond DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(FILES ${CMAKE_BINARY_DIR}/pond.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
if(POND_HAVE_CLI)
  install(TARGETS pond RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(FILES man/pond.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 OPTIONAL)
install(FILES completions/pond.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME pond
        OPTIONAL)
install(FILES completions/_pond DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions OPTIONAL)
